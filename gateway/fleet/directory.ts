/** An EVSE as the gateway knows it: from the configuration, and from its descriptor on L1. */
export interface EdgeEvse {
  /** Unique, in logs, topics and metrics. */
  readonly name: string
  readonly lane: number
  readonly slot: number
  /** Of the descriptor on L1. */
  readonly ratedW: number
  /** Degrees × 10^7, of the descriptor on L1. */
  readonly lat: number
  readonly lon: number
  /** x ‖ y, of the descriptor on L1. */
  readonly publicKey: Uint8Array
  /** Where it is behind a charging station. Undefined: it does not speak OCPP. */
  readonly ocpp: { readonly station: string; readonly evseId: number } | undefined
  /** `refuse`: a value that is unsigned or badly signed is not taken. `check`: it is taken and flagged. `ignore`: signatures are not looked at. */
  readonly signedValues: 'refuse' | 'check' | 'ignore'
  /** Public key of its meter (DER SubjectPublicKeyInfo or raw point), for OCMF. */
  readonly meterKey: Uint8Array | undefined
  /** Where its fail-safe telemetry comes from, and how old it may get. */
  readonly telemetry: 'mqtt' | 'modbus' | 'ocpp' | 'none'
}

export interface Contract {
  readonly lane: number
  readonly slot: number
  /** Of the descriptor on L1. */
  readonly capacityWh: number
}

export interface Directory {
  readonly evses: readonly EdgeEvse[]
  evse(name: string): EdgeEvse | undefined
  /** OCPP counts EVSEs of a station from 1; in OCPP 1.6 these are connectors. */
  atStation(station: string, evseId: number): EdgeEvse | undefined
  contract(lane: number, slot: number): Contract | undefined
  /** By the token a station reports (RFID, eMAID, MAC address), compared without regard to case as OCPP asks for. */
  contractOfToken(lane: number, token: string): Contract | undefined
}
