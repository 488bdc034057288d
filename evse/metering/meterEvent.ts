/** What meter and car said at one moment, in one set of units whatever protocol brought it. Absent: the message said nothing of it. */
export interface MeterSample {
  /** Of the device's own clock, milliseconds since the Unix epoch. */
  readonly atMs: number
  /** Export register, 10^-3 Wh: energy fed into the grid since the meter was made. Never the import register. */
  readonly exportMilliWh?: number
  /** State of charge, 0.01 %. */
  readonly socBp?: number
  /** Hottest point, °C. */
  readonly tempC?: number
}

/** One message about one transaction at one EVSE. The source's answer to its device waits until it is durable. */
export interface MeterEvent {
  /** Name of the EVSE in the configuration. */
  readonly evse: string
  readonly kind: 'STARTED' | 'UPDATED' | 'ENDED'
  readonly transaction: string
  /** Counts messages of a transaction from 0; a device may begin again after a boot. */
  readonly seqNo: number
  readonly atMs: number
  /** Sent later than it happened, from the device's own queue. */
  readonly offline: boolean
  /** Lane slot of the vehicle's contract; undefined while nobody knows whose car it is. */
  readonly contract: number | undefined
  readonly samples: readonly MeterSample[]
  /** Signed meter values as they came, kept for disputes. */
  readonly evidence?: readonly Uint8Array[]
}

/** What became of a message. Both are to be acknowledged to the device: a repeat was taken before. */
export type TakeResult = 'TAKEN' | 'REPEATED'

/** @throws BackfeedError STORE_FAILED: not taken, the device must keep it. */
export interface MeterEventSink {
  take(event: MeterEvent): Promise<TakeResult>
}
