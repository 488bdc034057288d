import type { KeyObject } from 'node:crypto'
import { fromHex } from '../../l1/bytes.ts'
import { type BatchDataSettings, fetchBatchData } from '../../l1/derive/batchData.ts'
import type { DerivedBatch } from '../../l1/derive/laneHistory.ts'
import { readU32 } from '../../protocol/bigEndian.ts'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from '../../protocol/domain.ts'
import type { BatchHeader } from '../../protocol/batchHeader.ts'
import { FIRST_ENTRY_WORD } from '../../protocol/forced.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { P256_CHUNK_RECORDS, RECORD_BYTES } from '../../protocol/limits.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { isEmptyRecord, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import type { ForcedEntry } from '../forced.ts'
import { type AdoptedBatch, statesOurRoots } from '../sequence/adopt.ts'
import type { RulesView } from '../rulesView.ts'
import type { ForcedBatch } from '../sequence/revise.ts'
import { readBatchRows } from '../settleBatch.ts'
import type { LaneJournal } from '../store/journal.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'

/**
 * A batch read back from L1, for a lane whose own journal is lost. Every signature is checked again. Undefined while it takes forced
 * records from blocks that are not final.
 */
export async function readBatchFromL1(
  settings: BatchDataSettings,
  batch: DerivedBatch,
  { rules, domain }: { readonly rules: RulesView; readonly domain: Uint8Array },
): Promise<AdoptedBatch | undefined> {
  const { header, submittedAt } = batch
  const forced = forcedOf(header, rules.forced)
  if (forced === undefined) return undefined
  const { chunks } = await fetchBatchData(settings, batch, rules.rules.layout)
  const own = chunks.slice(header.forcedChunks)
  const rows = Buffer.concat(own.map((chunk) => chunk.body))
  const rowCount = countRows(rows, own.length)
  return {
    asOf: header.asOf,
    l1Block: header.l1Block,
    preRoots: chunks.map((chunk) => chunk.preRoot),
    postRoot: fromHex(header.postRoot),
    forced,
    rows: rows.subarray(0, rowCount * SIGNED_RECORD_BYTES),
    rowCount,
    verdicts: verifyRows(rows, rowCount, { rules: rules.rules, domain }),
    submittedAt,
  }
}

/** A batch of forced chunks alone, read back from L1. Undefined as above. */
export async function readForcedBatch(
  settings: BatchDataSettings,
  { header, ...batch }: DerivedBatch,
  rules: RulesView,
): Promise<ForcedBatch | undefined> {
  const entries = forcedOf(header, rules.forced)
  if (entries === undefined) return undefined
  const { chunks } = await fetchBatchData(settings, { header, ...batch }, rules.rules.layout)
  return {
    index: Number(header.index),
    asOf: header.asOf,
    l1Block: header.l1Block,
    postRoot: fromHex(header.postRoot),
    preRoots: chunks.map((chunk) => chunk.preRoot),
    start: Number(header.forcedStart),
    entries,
    submittedAt: batch.submittedAt,
  }
}

/** What the batch takes of the queue; undefined until blocks held final say the same. */
function forcedOf(header: BatchHeader, queue: readonly ForcedEntry[]): readonly ForcedEntry[] | undefined {
  const [start, end] = [Number(header.forcedStart), Number(header.forcedEnd)]
  const word = end === 0 ? FIRST_ENTRY_WORD : queue[end - 1]?.word
  return word === header.forcedEndHash ? queue.slice(start, end) : undefined
}

/** Whether L1 holds, chunk by chunk, the records and roots of our batch; bytes that nobody decodes may differ. */
export async function holdsOurRecords(
  settings: BatchDataSettings,
  journal: LaneJournal,
  batch: ClosedBatch,
  theirs: DerivedBatch,
): Promise<boolean> {
  const { chunks } = await fetchBatchData(settings, theirs, P256_LAYOUT)
  const own = chunks.slice(theirs.header.forcedChunks)
  const ours = new Uint8Array(own.length * P256_LAYOUT.bodyBytes)
  ours.set(await readBatchRows(journal, batch))
  const rows = Buffer.concat(own.map((chunk) => chunk.body))
  for (let at = 0; at < ours.length; at += SIGNED_RECORD_BYTES) {
    if (isEmptyRecord(ours, at) && isEmptyRecord(rows, at)) continue
    const end = at + SIGNED_RECORD_BYTES
    if (rows.compare(ours, at, end, at, end) !== 0) return false
  }
  return statesOurRoots(
    chunks.map((chunk) => chunk.preRoot),
    batch,
  )
}

/** Without the padding behind the last record; a last chunk that is all padding keeps a row, so that it still is a chunk. */
function countRows(rows: Uint8Array, chunkCount: number): number {
  if (chunkCount === 0) return 0
  const least = (chunkCount - 1) * P256_CHUNK_RECORDS + 1
  let count = rows.length / SIGNED_RECORD_BYTES
  while (count > least && isEmptyRecord(rows, (count - 1) * SIGNED_RECORD_BYTES)) count--
  return count
}

function verifyRows(
  rows: Uint8Array,
  rowCount: number,
  { rules, domain }: { readonly rules: LaneRules; readonly domain: Uint8Array },
): Uint8Array {
  const verdicts = new Uint8Array(Math.ceil(rowCount / 8))
  const keys = new Map<number, KeyObject | undefined>()
  const message = new Uint8Array(RECORD_MESSAGE_BYTES)
  for (let row = 0; row < rowCount; row++) {
    const at = row * SIGNED_RECORD_BYTES
    const slot = readU32(rows, at)
    if (slot >= rules.evses.count) continue
    if (!keys.has(slot)) keys.set(slot, parseP256Key(rules.evseKey(slot)))
    const position = rules.evsePosition(slot)
    writeRecordMessage(message, { domain, record: rows, recordAt: at, position, positionAt: 0 })
    const signature = rows.subarray(at + RECORD_BYTES, at + SIGNED_RECORD_BYTES)
    if (verifyP256(keys.get(slot), message, signature)) verdicts[row >>> 3]! |= 1 << (row & 7)
  }
  return verdicts
}
