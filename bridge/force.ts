import { rollupAbi } from '../l1/abi/rollup.ts'
import type { L1Client } from '../l1/client.ts'
import type { Contracts } from '../l1/contracts.ts'
import { ForcedView, type QueuedEntry } from '../l1/forced/forcedView.ts'
import type { RecordToForce } from '../l1/forced/forceRecord.ts'
import { openLaneView } from '../l1/laneView/laneView.ts'
import { blsSignatureBytes, l1FromZcash, parseBlsSignature } from '../protocol/bls.ts'
import type { LaneRules } from '../protocol/laneRules.ts'
import { FORCED_DUE_SECONDS, FORCED_OPEN_SECONDS, RECORD_BYTES } from '../protocol/limits.ts'
import { recordEvse } from '../protocol/record.ts'
import { Scheme } from '../protocol/scheme.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'

export interface LaneOnL1 {
  readonly client: L1Client
  readonly contracts: Contracts
  readonly lane: number
}

export interface ForcedStanding {
  readonly length: bigint
  /** Entries that live batches took. */
  readonly consumed: bigint
  /** Oldest first. */
  readonly waiting: readonly QueuedEntry[]
}

/** By when an entry of this time must be consumed, and from when on anyone bonded may post it; seconds (docs/protocol.md §10). */
export function deadlinesOf(queuedAt: number): { dueAt: number; openAt: number } {
  return { dueAt: queuedAt + FORCED_DUE_SECONDS, openAt: queuedAt + FORCED_OPEN_SECONDS }
}

/** What a lane is to be made to take, from `rows` as a sequencer would get them; descriptors come from L1's events. */
export async function recordsToForce({ client, contracts, lane }: LaneOnL1): Promise<{
  readonly rules: LaneRules
  fromRows(rows: Uint8Array): RecordToForce[]
}> {
  const view = await openLaneView({ client, contracts, lane })
  await view.catchUp(await client.getBlock())
  const { rules } = view
  return { rules, fromRows: (rows) => split(rows, rules.layout.rowBytes).map((row) => toForce(row, rules, lane)) }
}

export async function forcedStanding({ client, contracts, lane }: LaneOnL1): Promise<ForcedStanding> {
  const head = await client.getBlock()
  const view = new ForcedView({ client, contracts, lane })
  await view.catchUp(head)
  const { forcedEnd } = await client.readContract({
    address: contracts.rollup,
    abi: rollupAbi,
    functionName: 'lane',
    args: [lane],
    blockNumber: head.number,
  })
  return { length: view.length, consumed: forcedEnd, waiting: view.slice(forcedEnd, view.length) }
}

function split(rows: Uint8Array, rowBytes: number): Uint8Array[] {
  return Array.from({ length: rows.length / rowBytes }, (_, i) => rows.subarray(i * rowBytes, (i + 1) * rowBytes))
}

function toForce(row: Uint8Array, rules: LaneRules, lane: number): RecordToForce {
  const evse = recordEvse(row, 0)
  if (evse >= rules.evses.count) throw refused('SLOT_EMPTY', `lane ${lane} has no EVSE ${evse}`)
  const signature = row.subarray(RECORD_BYTES)
  return {
    lane,
    record: row.subarray(0, RECORD_BYTES),
    descriptor: rules.evses.descriptor(evse),
    signature: rules.layout.scheme === Scheme.BLS ? blsForL1(signature) : signature,
  }
}

/** A row holds what the EVSE's library wrote: 192 bytes, or 96 compressed ones and zeros behind. */
function blsForL1(inRow: Uint8Array): Uint8Array {
  const isCompressed = (inRow[0]! & 0x80) !== 0
  const signature = parseBlsSignature(isCompressed ? inRow.subarray(0, 96) : inRow)
  if (signature === undefined) throw refused('BAD_SIGNATURE', 'the signature is no point of its group')
  return l1FromZcash(blsSignatureBytes(signature))
}

function refused(code: string, message: string): BackfeedError {
  return new BackfeedError(code, message, { exitCode: ExitCode.refusedByL1 })
}
