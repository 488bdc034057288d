import type { Address } from 'viem'
import { toHex } from '../../l1/bytes.ts'
import type { TxManager } from '../../l1/txManager/manager.ts'
import { RECORD_BYTES, WINDOW_SECONDS } from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { decodeRecord } from '../../protocol/record.ts'
import { requestId } from '../commit/submission.ts'
import type {
  BatchStage,
  BatchStatus,
  BatchTransaction,
  ContractCredit,
  ForcedLife,
  HealthProblem,
  LaneQueries,
  LaneStatus,
  RecordLife,
} from '../queries.ts'
import type { ForcedEntry } from '../forced.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import type { Database } from '../store/database.ts'
import { EntryKind } from '../store/entry.ts'
import type { LaneRunner } from './laneRunner.ts'

export interface LaneQueriesParts {
  readonly runners: ReadonlyMap<number, LaneRunner>
  readonly database: Database
  readonly transactions: Pick<TxManager, 'records'>
  /** Of the deployment: what receipts are for. */
  readonly name: { readonly chainId: number; readonly rollup: Address }
  readonly operator: Address
}

/** Answers from the lanes' memory and the local store. */
export function laneQueries(parts: LaneQueriesParts): LaneQueries {
  const { runners } = parts
  const numbers = [...runners.keys()].sort((a, b) => a - b)
  const runnerOf = (lane: number): LaneRunner => {
    const runner = runners.get(lane)
    if (runner === undefined) throw new RangeError(`lane ${lane} is not served here`)
    return runner
  }
  return {
    problems: () => [...runners.values()].flatMap(problemsOf),
    lanes: () => numbers,
    lane: (lane) => {
      const runner = runners.get(lane)
      return runner === undefined ? undefined : laneStatus(runner, parts.operator)
    },
    batches: async ({ lane, from, limit }) => {
      const runner = runnerOf(lane)
      const found: BatchStatus[] = []
      for (let index = Math.max(1, from); index <= runner.stage.lastClosed && found.length < limit; index++) {
        const status = batchStatus(parts, runner, index)
        if (status !== undefined) found.push(status)
      }
      return found
    },
    batch: async (lane, index) => batchStatus(parts, runnerOf(lane), index),
    forced: async ({ lane, from, limit }) => {
      const runner = runnerOf(lane)
      const entries = runner.rules.forced.slice(from, from + limit)
      return entries.map((entry, i) => forcedLife(parts, runner, { entry, index: from + i }))
    },
    record: ({ lane, evse, start }) => recordLife(parts, runnerOf(lane), evse, start),
    receipt: async (lane, position) => {
      const receipt = await runnerOf(lane).receipts.receipt(position)
      return receipt === undefined ? undefined : { ...parts.name, receipt }
    },
    contract: async (lane, slot) => contractCredit(runnerOf(lane), slot),
    evseEndedBefore: ({ lane, evse, endSeconds }) => {
      const slots = runners.get(lane)?.rules.rules.evses
      return slots !== undefined && evse < slots.count && slots.endsAt[evse]! < endSeconds
    },
  }
}

function problemsOf(runner: LaneRunner): HealthProblem[] {
  const refusal = runner.stage.refusal()
  const { problem } = runner.committer
  return [
    ...(refusal === undefined ? [] : [{ code: refusal.code, message: `lane ${runner.lane}: ${refusal.message}` }]),
    ...(problem === undefined ? [] : [{ code: 'POSTING_FAILS', message: `lane ${runner.lane}: ${problem}` }]),
  ]
}

function laneStatus(runner: LaneRunner, operator: Address): LaneStatus {
  const { stage, rules, committer } = runner
  const { book } = stage
  const { position, count, energyWh, spentMicro } = book.state.lane()
  const asOf = book.open?.asOf ?? stage.asOfNow() ?? book.lastAsOf
  return {
    lane: runner.lane,
    zone: rules.zone,
    scheme: runner.layout.scheme,
    operator,
    accepting: stage.refusal() === undefined,
    accepted: position,
    settled: count,
    energyWh,
    spentMicro,
    fundedMicro: rules.rules.fundedMicro(asOf),
    l1: { block: Number(rules.finalBlock), seconds: rules.finalTime },
    forced: { queued: rules.forced.length, taken: book.forced.length },
    openBatch: {
      index: book.lastIndex + 1,
      asOf,
      records: book.open?.rowCount ?? 0,
      openedAtMs: book.open?.openedAtMs ?? Date.now(),
    },
    closedIndex: stage.lastClosed,
    postedIndex: committer.posted,
    finalIndex: committer.finalIndex,
  }
}

function batchStatus(parts: LaneQueriesParts, runner: LaneRunner, index: number): BatchStatus | undefined {
  const batch = runner.stage.closedBatch(index)
  const prepared = runner.committer.prepared(index)
  if (batch === undefined || prepared === undefined) return undefined
  const { stage, transaction } = progress(parts, runner, index)
  return {
    header: prepared.header,
    headerHash: prepared.headerHash,
    stage,
    records: batch.rowCount,
    firstPosition: batch.firstPosition,
    closedAtMs: batch.closedAtMs,
    ...(transaction === undefined ? {} : { transaction }),
  }
}

function progress(
  parts: LaneQueriesParts,
  { committer }: LaneRunner,
  index: number,
): { stage: BatchStage; transaction?: BatchTransaction } {
  const posted = index <= committer.posted ? committer.onL1Batch(index) : undefined
  if (posted !== undefined) {
    const { place, submittedAt } = posted
    const mined = {
      block: Number(place.blockNumber),
      blockHash: place.blockHash,
      seconds: submittedAt,
      finalAtSeconds: submittedAt + WINDOW_SECONDS,
    }
    return {
      stage: index <= committer.finalIndex ? 'final' : 'posted',
      transaction: { hash: place.txHash, mined },
    }
  }
  const prepared = committer.prepared(index)
  const id = prepared === undefined ? undefined : requestId(prepared)
  const hash = parts.transactions
    .records()
    .find((record) => record.id === id)
    ?.attempts.at(-1)?.hash
  return hash === undefined ? { stage: 'closed' } : { stage: 'sent', transaction: { hash } }
}

async function recordLife(
  parts: LaneQueriesParts,
  runner: LaneRunner,
  evse: number,
  start: number,
): Promise<RecordLife | undefined> {
  const [accepted] = await runner.index.find([{ evse, start }])
  if (accepted === undefined) return undefined
  const { position, amountMicro, sequence, row } = accepted
  // Not by the index that it had when it was accepted: batches may have been put before it since.
  const batch = runner.stage.book.batchAt(position)
  const batchIndex = batch?.index ?? runner.stage.book.lastIndex + 1
  const forcedChunks = batch?.forcedChunks ?? 0
  const { rowBytes, chunkRecords } = runner.layout
  for await (const { entry } of runner.journal.readRange(sequence, sequence)) {
    if (entry.kind !== EntryKind.RECORDS || row >= entry.count) break
    const bytes = entry.rows.subarray(row * rowBytes, (row + 1) * rowBytes)
    const rowInBatch = entry.firstRow + row
    const isClosed = batchIndex <= runner.stage.lastClosed
    const { stage, transaction } = isClosed ? progress(parts, runner, batchIndex) : { stage: 'open' as const }
    const headerHash = isClosed ? runner.committer.prepared(batchIndex)?.headerHash : undefined
    const place = {
      chunk: forcedChunks + Math.floor(rowInBatch / chunkRecords),
      slot: rowInBatch % chunkRecords,
    }
    const outcome = runner.stage.book.noOps.get(position) ?? Outcome.SETTLED
    return {
      record: decodeRecord(bytes),
      signature: toHex(bytes.subarray(RECORD_BYTES)),
      position,
      receivedAtMs: entry.writtenAtMs,
      stage,
      outcome,
      amountMicro: outcome === Outcome.SETTLED ? amountMicro : 0,
      batchIndex,
      ...(headerHash === undefined ? {} : { place: { headerHash, ...place } }),
      ...(transaction === undefined ? {} : { transaction }),
    }
  }
  throw dataCorrupted(`record (${evse}, ${start}) is not where its index says`)
}

function forcedLife(
  parts: LaneQueriesParts,
  runner: LaneRunner,
  { entry, index }: { entry: ForcedEntry; index: number },
): ForcedLife {
  const told = { index, record: decodeRecord(entry.record), queuedAt: entry.queuedAt }
  const fate = runner.stage.book.forced[index]
  if (fate === undefined) return { ...told, stage: 'waiting' }
  const { batch: batchIndex, outcome, amountMicro } = fate
  const isClosed = batchIndex <= runner.stage.lastClosed
  const stage = isClosed ? progress(parts, runner, batchIndex).stage : 'open'
  return { ...told, stage, outcome, amountMicro, batchIndex }
}

function contractCredit(runner: LaneRunner, slot: number): ContractCredit | undefined {
  const { rules } = runner.rules
  if (slot >= rules.contracts.count) return undefined
  const { creditedMicro, energyWh, count } = runner.stage.book.state.contract(slot)
  const final = runner.final.credit(slot)
  return {
    lane: runner.lane,
    slot,
    vehicle: rules.contractVehicle(slot),
    now: { creditedMicro, energyWh, count },
    ...(final === undefined ? {} : { final }),
  }
}
