import type { KeyObject } from 'node:crypto'
import { fromHex } from '../../l1/bytes.ts'
import { type BatchDataSettings, fetchBatchData } from '../../l1/derive/batchData.ts'
import type { DerivedBatch } from '../../l1/derive/laneHistory.ts'
import { readU32 } from '../../protocol/bigEndian.ts'
import { bodyRecords, type Chunk } from '../../protocol/chunk.ts'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from '../../protocol/domain.ts'
import type { BatchHeader } from '../../protocol/batchHeader.ts'
import { FIRST_ENTRY_WORD } from '../../protocol/forced.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { isEmptyRecord } from '../../protocol/record.ts'
import { Scheme, type SchemeLayout } from '../../protocol/scheme.ts'
import { type BuiltLane, batchRowsOf } from '../batch/batchRows.ts'
import { type BatchRows, bodyOf } from '../batch/chunks.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import type { ForcedEntry } from '../forced.ts'
import { type AdoptedBatch, statesOurRoots } from '../sequence/adopt.ts'
import type { RulesView } from '../rulesView.ts'
import type { ForcedBatch } from '../sequence/revise.ts'
import { judgeAggregates } from '../sequence/keptAggregates.ts'

/**
 * A batch read back from L1, for a lane whose own journal is lost. Every signature is checked again. Of a BLS batch L1 has only the sums of
 * signatures: they are kept with the rows, so that the same batch can be posted again. Undefined while it takes forced records from blocks
 * that are not final.
 */
export async function readBatchFromL1(
  settings: BatchDataSettings,
  batch: DerivedBatch,
  { rules, domain }: { readonly rules: RulesView; readonly domain: Uint8Array },
): Promise<AdoptedBatch | undefined> {
  const { header, submittedAt } = batch
  const forced = forcedOf(header, rules.forced)
  if (forced === undefined) return undefined
  const { layout } = rules.rules
  const { chunks } = await fetchBatchData(settings, batch, layout)
  const { asOf } = header
  const own = chunks.slice(header.forcedChunks)
  const all = rowsOf(layout, own)
  const rowCount = countRows(layout, all, own.length)
  const rows = all.subarray(0, rowCount * layout.rowBytes)
  const aggregates =
    layout.scheme === Scheme.BLS ? Buffer.concat(own.map(({ body }) => body.subarray(0, layout.headBytes))) : undefined
  const lane = { rules: rules.rules, domain }
  return {
    asOf,
    l1Block: header.l1Block,
    preRoots: chunks.map((chunk) => chunk.preRoot),
    postRoot: fromHex(header.postRoot),
    forced,
    rows,
    aggregates,
    rowCount,
    verdicts:
      aggregates === undefined
        ? verifyRows(rows, rowCount, lane)
        : judgeAggregates(lane, { rows, rowCount, aggregates, asOf }),
    submittedAt,
  }
}

interface Lane {
  readonly rules: LaneRules
  readonly domain: Uint8Array
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
  lane: BuiltLane,
  batch: ClosedBatch,
  theirs: DerivedBatch,
): Promise<boolean> {
  const { chunks } = await fetchBatchData(settings, theirs, batch.layout)
  const ours = await batchRowsOf(lane, batch)
  const { forcedChunks } = theirs.header
  return (
    chunks.every(({ body }, k) => k < forcedChunks || holdsSame(ours, k, body)) &&
    statesOurRoots(
      chunks.map((chunk) => chunk.preRoot),
      batch,
    )
  )
}

/** A chunk's sum of signatures is the only one there is of its records: another is a false one, unless it is over none. */
function holdsSame(ours: BatchRows, k: number, theirs: Uint8Array): boolean {
  const { layout, summed, forcedChunks = 0 } = ours
  const first = (k - forcedChunks) * layout.chunkRecords
  const body = new Uint8Array(layout.bodyBytes)
  body.set(bodyOf(ours, k))
  const isSigned = summed.subarray(first, first + layout.chunkRecords).includes(1)
  if (isSigned && Buffer.compare(body.subarray(0, layout.headBytes), theirs.subarray(0, layout.headBytes)) !== 0) {
    return false
  }
  const { at: head, stride, count } = bodyRecords(layout, body)
  for (let at = head; at < head + count * stride; at += stride) {
    if (isEmptyRecord(body, at) && isEmptyRecord(theirs, at)) continue
    if (Buffer.compare(body.subarray(at, at + stride), theirs.subarray(at, at + stride)) !== 0) return false
  }
  return true
}

/** Chunks' records as a journal's rows; those of a BLS lane have no signature of their own. */
function rowsOf(layout: SchemeLayout, chunks: readonly Chunk[]): Uint8Array {
  const rows = new Uint8Array(chunks.length * layout.chunkRecords * layout.rowBytes)
  let to = 0
  for (const chunk of chunks) {
    const { bytes, at: first, stride, count } = bodyRecords(layout, chunk.body)
    for (let i = 0; i < count; i++, to += layout.rowBytes) {
      rows.set(bytes.subarray(first + i * stride, first + (i + 1) * stride), to)
    }
  }
  return rows
}

/** Without the padding behind the last record; a last chunk that is all padding keeps a row, so that it still is a chunk. */
function countRows({ rowBytes, chunkRecords }: SchemeLayout, rows: Uint8Array, chunkCount: number): number {
  if (chunkCount === 0) return 0
  const least = (chunkCount - 1) * chunkRecords + 1
  let count = rows.length / rowBytes
  while (count > least && isEmptyRecord(rows, (count - 1) * rowBytes)) count--
  return count
}

/** P-256 rows hold their signatures: each is judged by itself, whatever the date. */
function verifyRows(rows: Uint8Array, rowCount: number, { rules, domain }: Lane): Uint8Array {
  const { rowBytes } = rules.layout
  const verdicts = new Uint8Array(Math.ceil(rowCount / 8))
  const keys = new Map<number, KeyObject | undefined>()
  const message = new Uint8Array(RECORD_MESSAGE_BYTES)
  for (let row = 0; row < rowCount; row++) {
    const at = row * rowBytes
    const slot = readU32(rows, at)
    if (slot >= rules.evses.count) continue
    if (!keys.has(slot)) keys.set(slot, parseP256Key(rules.evseKey(slot)))
    const position = rules.evsePosition(slot)
    writeRecordMessage(message, { domain, record: rows, recordAt: at, position, positionAt: 0 })
    const signature = rows.subarray(at + RECORD_BYTES, at + rowBytes)
    if (verifyP256(keys.get(slot), message, signature)) verdicts[row >>> 3]! |= 1 << (row & 7)
  }
  return verdicts
}
