import { encodeAbiParameters, type Hex, keccak256 } from 'viem'
import { toHex } from '../l1/bytes.ts'
import type { BatchData } from '../l1/derive/batchData.ts'
import type { DerivedBatch } from '../l1/derive/laneHistory.ts'
import { openChunk } from '../l1/derive/openings.ts'
import type { BatchHeader } from '../protocol/batchHeader.ts'
import type { SettlingChunk } from '../protocol/chunk.ts'
import { entriesOfRun } from '../protocol/forced.ts'
import { encodeProof, type Witness } from '../protocol/fraudProof.ts'
import type { LaneState } from '../protocol/laneState.ts'
import { Outcome } from '../protocol/outcome.ts'
import { type DischargeRecord, decodeRecord, isEmptyRecord, recordEvse, recordStart } from '../protocol/record.ts'
import { buildWitness } from '../protocol/witness.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import type { LaneReplay, ReplayedRecord } from './laneReplay.ts'

/** Which record: what an EVSE measured from an interval on, or the lane's nth (docs/protocol.md §6). */
export type RecordName = { readonly evse: number; readonly start: number } | { readonly position: number }

/** One settled record and all that L1 needs to see it settle. */
export interface Evidence {
  readonly record: DischargeRecord
  readonly amountMicro: number
  readonly batch: DerivedBatch
  readonly parent: BatchHeader
  readonly chunk: number
  readonly row: number
  readonly isForced: boolean
  readonly data: BatchData
  readonly witness: Witness
  /** The entries of a forced chunk, empty for any other. */
  readonly forced: Uint8Array
}

/**
 * Finds a settled record by replaying the lane from L1, `replay` being freshly opened.
 * @throws BackfeedError RECORD_UNKNOWN when no live batch settled it
 */
export async function findRecord(replay: LaneReplay, name: RecordName): Promise<Evidence> {
  let candidate: Omit<Evidence, 'record' | 'amountMicro' | 'row'> | undefined
  let found: Evidence | undefined
  await replay.advanceTo(replay.tipIndex, {
    beforeChunk: ({ batch, parent, data, index, chunk }) => {
      candidate = undefined
      if (found !== undefined || !mayHold(chunk, replay.state, name)) return
      const witness = buildWitness(replay.state, replay.rules, batch.header.asOf, chunk.records)
      const { isForced } = chunk
      const forced = isForced ? entriesOfRun(chunk.records) : new Uint8Array()
      candidate = { batch, parent, data, chunk: index, isForced, witness, forced }
    },
    onRecord: (seen) => {
      if (candidate === undefined || found !== undefined) return
      if (seen.outcome !== Outcome.SETTLED || !isNamed(seen, candidate.isForced, replay.state, name)) return
      const { row, amountMicro } = seen
      found = { ...candidate, row, amountMicro, record: decodeRecord(seen.bytes, seen.at) }
    },
  })
  if (found === undefined) {
    throw new BackfeedError('RECORD_UNKNOWN', `no live batch settled ${describe(name)}`, {
      exitCode: ExitCode.refusedByL1,
    })
  }
  return found
}

/** The `proof` argument of `Court.exhibit`. With blobs ~0.6 s of CPU. */
export async function proofOf(evidence: Evidence): Promise<Hex> {
  const { batch, data, chunk, witness, forced } = evidence
  return encodeProof({
    dataWords: batch.dataWords,
    opening: await openChunk(data, chunk),
    witness,
    forced: toHex(forced),
  })
}

/** docs/protocol.md §15.8. */
export function exhibitId(evidence: Pick<Evidence, 'batch' | 'chunk' | 'row'>): Hex {
  const parameters = [{ type: 'bytes32' }, { type: 'uint32' }, { type: 'uint32' }] as const
  return keccak256(encodeAbiParameters(parameters, [evidence.batch.headerHash, evidence.chunk, evidence.row]))
}

/** Whether a witness is worth building: it takes the state before the chunk, when nobody knows yet what settles. */
function mayHold({ records, isForced }: SettlingChunk, state: LaneState, name: RecordName): boolean {
  const { bytes, at: first, stride, count } = records
  if ('position' in name) return !isForced && name.position >= state.position && name.position < state.position + count
  for (let i = 0; i < count; i++) {
    const at = first + i * stride
    if (isEmptyRecord(bytes, at)) continue
    if (recordEvse(bytes, at) === name.evse && recordStart(bytes, at) === name.start) return true
  }
  return false
}

/** `state` is the one after the record, which has moved the position by one. */
function isNamed({ bytes, at }: ReplayedRecord, isForced: boolean, state: LaneState, name: RecordName): boolean {
  if ('position' in name) return !isForced && state.position - 1 === name.position
  return recordEvse(bytes, at) === name.evse && recordStart(bytes, at) === name.start
}

function describe(name: RecordName): string {
  return 'position' in name
    ? `a record at position ${name.position}`
    : `a record of EVSE ${name.evse} from interval ${name.start}`
}
