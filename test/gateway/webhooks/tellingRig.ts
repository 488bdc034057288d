import { meteringConfigSchema } from '../../../evse/metering/config.ts'
import { type MeterBook, openMeterBook } from '../../../evse/metering/meterBook.ts'
import { type LevelOutbox, openOutbox } from '../../../evse/outbox/levelOutbox.ts'
import type { EdgeStore } from '../../../evse/store/edgeStore.ts'
import type { Directory, EdgeEvse } from '../../../gateway/fleet/directory.ts'
import { sessionWebhooksSchema } from '../../../gateway/webhooks/config.ts'
import { openSessionWebhooks, type SessionWebhooks } from '../../../gateway/webhooks/sessionWebhooks.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { decodeRecord, type DischargeRecord } from '../../../protocol/record.ts'
import { DUPLICATE, type ResultCode } from '../../../protocol/wire.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { decodeJson } from '../../../runtime/webhooks/webhookStore.ts'
import { CAPACITY_WH, RATED_W } from '../../evse/metering/bookRig.ts'
import { type CrashingDisk, unsigned } from '../../evse/metering/crashingStore.ts'

export const DEPLOYMENT = { chainId: 31_337, rollup: '0x00000000000000000000000000000000000000aa' } as const
export const MICRO_PER_WH = 3
const NOW_MS = 1_950_000_000_000

const EVSE: EdgeEvse = {
  name: 'e0',
  lane: 0,
  slot: 0,
  ratedW: RATED_W,
  lat: 0,
  lon: 0,
  publicKey: new Uint8Array(64),
  ocpp: { station: 'CP-1', evseId: 2 },
  signedValues: 'ignore',
  meterKey: undefined,
  telemetry: 'none',
}

const DIRECTORY: Directory = {
  evses: [EVSE],
  evse: (name) => (name === EVSE.name ? EVSE : undefined),
  atStation: () => undefined,
  contract: () => undefined,
  contractOfToken: () => undefined,
}

/** An event as it is queued. */
export interface Queued {
  readonly id: string
  readonly type: string
  readonly subject: string
  readonly data: Record<string, unknown>
}

export interface TellingRig {
  readonly store: EdgeStore & { readonly isDead: boolean }
  readonly outbox: LevelOutbox
  readonly book: MeterBook
  readonly webhooks: SessionWebhooks | undefined
  /** Answers all rows that wait, as a sequencer would that took them, or as `judge` says. */
  answer(judge?: (record: DischargeRecord) => ResultCode): Promise<void>
  /** As far as it goes by itself. */
  settled(): Promise<void>
  /** The process is gone. */
  stop(): Promise<void>
}

/** Metering, outbox and webhooks of one EVSE on a disk that may die under them. Nothing is sent: what was queued is looked at. */
export async function tellingRig(
  disk: CrashingDisk,
  {
    crashAt = 0,
    isWritten = false,
    isTelling = true,
    secret,
  }: { crashAt?: number; isWritten?: boolean; isTelling?: boolean; secret: string },
): Promise<TellingRig> {
  const store = disk.boot(crashAt, isWritten)
  const [log, metrics] = [silentLogger(), createMetrics({ service: 'test', process: false })]
  const now = (): number => NOW_MS
  const outbox = await openOutbox({ store, maxBytes: 64_000_000, now, log, metrics })
  const billing = { name: 'billing', url: 'http://127.0.0.1:1/', secretFiles: [secret] }
  const webhooks = await openSessionWebhooks({
    configs: sessionWebhooksSchema.parse(isTelling ? [billing] : []),
    store,
    outbox,
    directory: DIRECTORY,
    deployment: DEPLOYMENT,
    log,
    metrics,
  })
  const metered = { name: 'e0', lane: 0, slot: 0, ratedW: RATED_W }
  const book = await openMeterBook({
    config: meteringConfigSchema.parse({ recordSeconds: 300 }),
    evse: (name) => (name === 'e0' ? metered : undefined),
    nameOf: () => 'e0',
    capacityWh: (_, contract) => (contract < 3 ? CAPACITY_WH : undefined),
    store,
    outbox,
    ...(webhooks && { accounts: webhooks.accounts }),
    signRecord: async (_, record) => unsigned(record),
    now,
    monotonicMs: () => 0,
    log,
    metrics,
  })
  await webhooks?.open(book)
  const settled = async (): Promise<void> => {
    await book.settled()
    await webhooks?.settled()
  }
  const answer: TellingRig['answer'] = async (judge = () => Outcome.SETTLED) => {
    for (const queue of outbox.waiting()) {
      const rows = await outbox.page(queue, 1_000)
      const answers = rows.map(({ lane, row }) => {
        const record = decodeRecord(row)
        const code = judge(record)
        const isIn = code === Outcome.SETTLED || code === DUPLICATE
        const amountMicro = isIn ? record.energyWh * MICRO_PER_WH : 0
        return { lane, row, answer: { code, position: isIn ? record.start : 0, amountMicro } }
      })
      await outbox.answer(answers)
    }
    await settled()
  }
  const stop = async (): Promise<void> => {
    await book.stop()
    await webhooks?.stop()
  }
  return { store, outbox, book, webhooks, answer, settled, stop }
}

/** What the receiver will be sent, in order. */
export function queuedOn(disk: CrashingDisk): Queued[] {
  const keys = [...disk.values.keys()].filter((key) => key.startsWith('hook/q/billing/')).sort()
  return keys.map((key) => {
    const { body, ...event } = decodeJson<Queued & { body: string }>(disk.values.get(key)!)!
    const { data } = JSON.parse(body) as Pick<Queued, 'data'>
    return { ...event, data }
  })
}
