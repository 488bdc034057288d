import { join } from 'node:path'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { recordDomain } from '../../protocol/domain.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { P256_LAYOUT, type SchemeLayout } from '../../protocol/scheme.ts'
import { silentLogger } from '../../runtime/log.ts'
import type { ClosedBatch } from '../../sequencer/closedBatch.ts'
import type { ForcedEntry } from '../../sequencer/forced.ts'
import { ReceiptDesk } from '../../sequencer/receipts/receiptDesk.ts'
import { keySigner, type ReceiptSigner } from '../../sequencer/receipts/signer.ts'
import { readSnapshot } from '../../sequencer/sequence/laneSnapshot.ts'
import { replayLane } from '../../sequencer/sequence/replay.ts'
import { SequenceStage } from '../../sequencer/sequence/stage.ts'
import { type Database, openDatabase } from '../../sequencer/store/database.ts'
import { LaneJournal } from '../../sequencer/store/journal.ts'
import { RecordIndex } from '../../sequencer/store/recordIndex.ts'
import { SnapshotKeeper } from '../../sequencer/store/snapshotKeeper.ts'
import { readResult } from '../../sequencer/submission.ts'
import { Fleet } from '../support/fleet.ts'

export const OWNER = { chainId: 31337, rollup: '0x00000000000000000000000000000000000000aa' }
export const NAME = { chainId: 31337n, rollup: OWNER.rollup as `0x${string}`, lane: 0 }
export const OPERATOR_KEY: Hex = `0x${'1'.padStart(64, '0')}`
export const OPERATOR = privateKeyToAccount(OPERATOR_KEY)
export const T0 = 900 * 1_900_000
export const ACTIVE_FROM = T0 - 7200

export function localFleet(evses = 8, layout: SchemeLayout = P256_LAYOUT): Fleet {
  return new Fleet({ evses, firstInterval: T0 / 15, name: NAME, layout })
}

export interface LocalLane extends AsyncDisposable {
  readonly stage: SequenceStage
  readonly receipts: ReceiptDesk
  readonly journal: LaneJournal
  readonly index: RecordIndex
  readonly database: Database
  readonly closed: ClosedBatch[]
  readonly faults: unknown[]
  readonly clock: { seconds: number }
  readonly limit: { maxBatchRows: number }
  readonly view: { rules: LaneRules; finalTime: number; finalBlock: bigint; forced: readonly ForcedEntry[] }
}

/** A lane's sequence stage over a store on disk, without L1. */
export async function openLocalLane(
  folder: string,
  rules: LaneRules,
  options: {
    seconds?: number
    maxBatchRows?: number
    wrap?: (database: Database) => Database
    forced?: readonly ForcedEntry[]
    signer?: ReceiptSigner
    snapshotRows?: number
    /** Of the record index: so many go into pages together. */
    runRecords?: number
  } = {},
): Promise<LocalLane> {
  const opened = await openDatabase(folder, OWNER)
  const database = options.wrap?.(opened) ?? opened
  try {
    const domain = recordDomain(NAME)
    const journal = await LaneJournal.open(database, { lane: 0, layout: rules.layout })
    const clock = { seconds: options.seconds ?? T0 + 3600 }
    const view = { rules, finalTime: clock.seconds - 60, finalBlock: 7n, forced: options.forced ?? [] }
    const log = silentLogger()
    const path = join(folder, 'snapshot-0')
    const snapshots = new SnapshotKeeper({ path, everyRows: options.snapshotRows ?? 0, log })
    const saved = await snapshots.load()
    const snapshot = saved && readSnapshot(saved, 0)
    const index = await RecordIndex.open(database, journal, options.runRecords)
    const now = clock.seconds
    const book = await replayLane({ journal, rules, domain, openedAsOf: ACTIVE_FROM, now, snapshot, index })
    const limit = { maxBatchRows: options.maxBatchRows ?? 1408 }
    const closed: ClosedBatch[] = []
    const faults: unknown[] = []
    const receipts = new ReceiptDesk({
      lane: 0,
      chainId: NAME.chainId,
      rollup: NAME.rollup,
      rowBytes: rules.layout.rowBytes,
      journal,
      database,
      signer: options.signer ?? (await keySigner(OPERATOR_KEY)),
      clock: { now: () => clock.seconds },
      log: silentLogger(),
    })
    await receipts.catchUp(book.state.position)
    const stage = new SequenceStage({
      book,
      journal,
      index,
      view,
      domain,
      clock: { now: () => clock.seconds },
      receipts,
      snapshots,
      openedAsOf: ACTIVE_FROM,
      aheadSeconds: 60,
      maxAgeSeconds: 60,
      maxBatchRows: () => limit.maxBatchRows,
      maxWriteRows: 4096,
      maxBacklog: 1000,
      log: silentLogger(),
      onClosed: (batch) => closed.push(batch),
      onFault: (error) => faults.push(error),
    })
    const close = async (): Promise<void> => {
      await stage.stop()
      await receipts.flush()
      journal.close()
      await database.close()
    }
    return {
      stage,
      receipts,
      journal,
      index,
      database,
      closed,
      faults,
      clock,
      view,
      limit,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Sequences rows whose signatures are taken for good unless `verdicts` say otherwise. */
export async function sequence(
  stage: SequenceStage,
  rows: Uint8Array,
  verdicts?: readonly number[],
): Promise<ReturnType<typeof readResult>[]> {
  const count = rows.length / stage.book.rules.layout.rowBytes
  const work = stage.enqueue(rows, count)
  work.verdicts.set(verdicts ?? Array(count).fill(1))
  work.verified()
  const answer = await work.answer
  if (answer.refusal !== undefined) throw new Error(`${answer.refusal.code}: ${answer.refusal.message}`)
  return Array.from({ length: count }, (_, i) => readResult(answer.results, i * 16))
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
