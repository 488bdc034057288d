import { meteringConfigSchema } from '../../../evse/metering/config.ts'
import { type MeterBook, openMeterBook } from '../../../evse/metering/meterBook.ts'
import type { MeterEvent, MeterSample } from '../../../evse/metering/meterEvent.ts'
import type { WithheldEntry } from '../../../evse/metering/withheld.ts'
import type { EdgeStore } from '../../../evse/store/edgeStore.ts'
import type { DischargeRecord } from '../../../protocol/record.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { CrashingDisk, plainOutbox, unsigned } from './crashingStore.ts'

export const CAPACITY_WH = 60_000
export const RATED_W = 11_000
const NOW_MS = 1_950_000_000_000
/** A period's beginning. */
export const T0 = 900_000 * 2_111_111

export interface Rig {
  readonly book: MeterBook
  readonly disk: CrashingDisk
  readonly store: EdgeStore & { readonly isDead: boolean }
  readonly outbox: ReturnType<typeof plainOutbox>
  clock: { monotonicMs: number; nowMs: number }
  signing: { error: Error | undefined; signed: DischargeRecord[] }
}

interface RigOptions {
  disk?: CrashingDisk
  crashAt?: number
  isWritten?: boolean
  config?: Record<string, unknown>
  nowMs?: number
}

/** A book of ten EVSEs, `e0` to `e9`, on a disk that may die under it. */
export async function rig(options: RigOptions = {}): Promise<Rig> {
  const { disk = new CrashingDisk(), crashAt, isWritten, config = {}, nowMs = NOW_MS } = options
  const store = disk.boot(crashAt, isWritten)
  const outbox = plainOutbox(store)
  const clock = { monotonicMs: 0, nowMs }
  const signing: Rig['signing'] = { error: undefined, signed: [] }
  const book = await openMeterBook({
    config: meteringConfigSchema.parse(config),
    evse: (name) => (/^e\d+$/.test(name) ? EVSES[Number(name.slice(1))] : undefined),
    nameOf: ({ lane, evse }) => (lane === 0 ? EVSES[evse]?.name : undefined),
    capacityWh: (_, contract) => (contract < 3 ? CAPACITY_WH : undefined),
    store,
    outbox,
    signRecord: async (_, record) => {
      if (signing.error !== undefined) throw signing.error
      signing.signed.push(record)
      return unsigned(record)
    },
    now: () => clock.nowMs,
    monotonicMs: () => clock.monotonicMs,
    log: silentLogger(),
    metrics: createMetrics({ service: 'test', process: false }),
  })
  return { book, disk, store, outbox, clock, signing }
}

const EVSES = Array.from({ length: 10 }, (_, slot) => ({ name: `e${slot}`, lane: 0, slot, ratedW: RATED_W }))

interface Said extends Omit<MeterSample, 'atMs'> {
  /** Seconds after T0. */
  s: number
  seq?: number
  tx?: string
  contract?: number | undefined
}

export function event(kind: MeterEvent['kind'], said: Said): MeterEvent {
  const { s, seq = s, tx = 'a', contract = 0, ...sample } = { contract: 0 as number | undefined, ...said }
  const named = 'contract' in said ? said.contract : contract
  const atMs = T0 + s * 1_000
  return {
    evse: 'e0',
    kind,
    transaction: tx,
    seqNo: seq,
    atMs,
    offline: false,
    contract: named,
    samples: [{ atMs, ...sample }],
  }
}

export async function withheldOf(book: MeterBook): Promise<WithheldEntry[]> {
  const found: WithheldEntry[] = []
  for await (const entry of book.withheld('e0')) found.push(entry)
  return found
}

export const sum = (parts: readonly { energyWh: number }[]): number =>
  parts.reduce((wh, { energyWh }) => wh + energyWh, 0)
