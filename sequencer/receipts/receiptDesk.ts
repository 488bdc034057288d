import type { Address } from 'viem'
import {
  type MicroBatch,
  microBatchDigest,
  type RangeReceipt,
  type Receipt,
  receiptDomain,
} from '../../protocol/receipt.ts'
import { MAX_ANSWER_RECEIPTS } from '../../protocol/receiptWire.ts'
import { MAX_MICRO_BATCH_RECORDS, ReceiptTree, receiptLeaves } from '../../protocol/receiptTree.ts'
import { isEmptyRecord } from '../../protocol/record.ts'
import type { Logger } from '../../runtime/log.ts'
import { Runner } from '../../runtime/runner.ts'
import { pause } from '../../runtime/wait.ts'
import type { DurableRows, ReceiptIssuer } from '../receiptIssuer.ts'
import type { Clock } from '../rulesView.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import type { Database, WriteOperation } from '../store/database.ts'
import { EntryKind, type RecordsEntry } from '../store/entry.ts'
import type { LaneJournal } from '../store/journal.ts'
import { lastReceiptUpTo, receiptPut, type StoredMicroBatch } from '../store/receiptLog.ts'
import type { ReceiptMetrics } from './metrics.ts'
import { acceptedRuns } from './acceptedRuns.ts'
import { covers, rangeReceipt, type SignedTree, SignedTrees } from './signedTrees.ts'
import type { ReceiptSigner } from './signer.ts'

/** Between signatures: many writes share one then, and signing takes 2 % of a thread at most. The first after a pause does not wait. */
const SIGN_GAP_MS = 10
/** Rows of one signature when what a crash left unsigned is signed. */
const CATCH_UP_RECORDS = 8_192

export interface ReceiptDeskSettings {
  readonly lane: number
  readonly chainId: bigint
  readonly rollup: Address
  readonly rowBytes: number
  readonly journal: LaneJournal
  readonly database: Database
  readonly signer: ReceiptSigner
  readonly clock: Clock
  readonly log: Logger
  readonly metrics?: ReceiptMetrics | undefined
}

/** Durable rows that one signature will cover. */
interface Group {
  readonly firstPosition: number
  readonly firstSequence: number
  lastSequence: number
  readonly leaves: Uint8Array[]
  count: number
  readonly since: number
  readonly signed: Promise<void>
  readonly settle: { resolve: () => void; reject: (error: unknown) => void }
}

/**
 * Signs a lane's micro-batches and gives receipts under them, those of long ago too: rows are read back from the journal, signatures from
 * beside it. One signature at a time, so positions are signed in order.
 */
export class ReceiptDesk implements ReceiptIssuer {
  readonly #settings: ReceiptDeskSettings
  readonly #domain: Uint8Array
  /** Rows go into the last one; the first is signed next. */
  readonly #groups: Group[] = []
  #current: Group | undefined
  readonly #trees = new SignedTrees()
  /** Signed and not yet noted: a store that fails for a moment must not lose them. */
  readonly #unnoted: WriteOperation[] = []
  readonly #signing = new Runner(() => this.#run())
  #lastSignedMs = Number.NEGATIVE_INFINITY

  constructor(settings: ReceiptDeskSettings) {
    this.#settings = settings
    this.#domain = receiptDomain(settings.chainId, settings.rollup)
  }

  sign(rows: DurableRows): Promise<void> {
    const leaves = rows.entries.map((entry) => this.#leavesOf(entry))
    const count = leaves.reduce((sum, { length }) => sum + length / 32, 0)
    if (count === 0) return Promise.resolve()
    let group = this.#groups.at(-1)
    if (group === undefined || group.count + count > MAX_MICRO_BATCH_RECORDS) {
      group = newGroup(rows)
      this.#groups.push(group)
    }
    group.leaves.push(...leaves)
    group.count += count
    group.lastSequence = rows.lastSequence
    void this.#signing.wake()
    return group.signed
  }

  async receiptsOf(results: Uint8Array): Promise<readonly RangeReceipt[]> {
    const receipts: RangeReceipt[] = []
    for (const run of acceptedRuns(results)) {
      const end = run.position + run.records
      for (let position = run.position; position < end; ) {
        if (receipts.length === MAX_ANSWER_RECEIPTS) return receipts
        const found = await this.#treeOf(position)
        if (found === undefined) break
        const last = Math.min(end, found.signed.firstPosition + found.signed.count)
        receipts.push(rangeReceipt(found, position, last - position))
        position = last
      }
    }
    return receipts
  }

  /** Of the record at a position; undefined when none is promised there. */
  async receipt(position: number): Promise<Receipt | undefined> {
    const found = await this.#treeOf(position)
    if (found === undefined) return undefined
    const stored = await lastReceiptUpTo(this.#settings.database, this.#settings.lane, position)
    if (stored === undefined) return undefined
    let at = stored.firstPosition
    for await (const row of this.#rows(stored.firstSequence, stored.lastSequence)) {
      if (at++ !== position) continue
      return { ...found.signed, position, row, path: found.tree.path(position - found.signed.firstPosition) }
    }
    throw this.#differs(stored)
  }

  /** Signs what is durable up to `endPosition` and was not signed before the process ended, or before L1 named us the operator. */
  async catchUp(endPosition: number): Promise<void> {
    const { database, journal, lane, log } = this.#settings
    const last = await lastReceiptUpTo(database, lane, endPosition)
    let firstPosition = last === undefined ? 0 : last.firstPosition + last.count
    if (firstPosition === endPosition) return
    log.info({ lane, from: firstPosition, to: endPosition }, 'signing durable records that have no receipt yet')
    const firstSequence = (last?.lastSequence ?? 0) + 1
    let entries: RecordsEntry[] = []
    let from = firstSequence
    let count = 0
    const flush = async (lastSequence: number): Promise<void> => {
      if (count > 0) await this.sign({ firstPosition, entries, firstSequence: from, lastSequence })
      firstPosition += count
      from = lastSequence + 1
      entries = []
      count = 0
    }
    for await (const { sequence, entry } of journal.readRange(firstSequence, journal.length)) {
      if (entry.kind !== EntryKind.RECORDS) continue
      const rows = this.#leavesOf(entry).length / 32
      if (count + rows > MAX_MICRO_BATCH_RECORDS) await flush(sequence - 1)
      entries.push(entry)
      count += rows
      if (count >= CATCH_UP_RECORDS) await flush(sequence)
    }
    await flush(journal.length)
    if (firstPosition !== endPosition) {
      throw dataCorrupted(`lane ${lane}'s journal holds ${firstPosition} positions, its state ${endPosition}`)
    }
  }

  /** Resolves when everything handed over has been signed. */
  async flush(): Promise<void> {
    await this.#signing.idle()
  }

  async #run(): Promise<void> {
    while (this.#groups.length > 0) {
      const waitMs = this.#lastSignedMs + SIGN_GAP_MS - performance.now()
      if (waitMs > 0) await pause(waitMs)
      const group = this.#groups.shift()!
      this.#current = group
      try {
        await this.#signGroup(group)
        group.settle.resolve()
      } catch (error) {
        group.settle.reject(error)
        for (const behind of this.#groups.splice(0)) behind.settle.reject(error)
      } finally {
        this.#current = undefined
      }
    }
  }

  async #signGroup(group: Group): Promise<void> {
    const { lane, clock, signer, metrics } = this.#settings
    const { firstPosition, firstSequence, lastSequence, count } = group
    this.#lastSignedMs = performance.now()
    const tree = new ReceiptTree(group.leaves.length === 1 ? group.leaves[0]! : Buffer.concat(group.leaves))
    const microBatch: MicroBatch = { lane, firstPosition, count, time: clock.now(), root: tree.root }
    const signature = await signer.sign(microBatchDigest(this.#domain, microBatch))
    const signed = { ...microBatch, signature }
    this.#trees.keep({ signed, tree })
    this.#unnoted.push(receiptPut({ ...signed, firstSequence, lastSequence }))
    await this.#note()
    metrics?.signed(count, (performance.now() - group.since) / 1000)
  }

  /** What is lost here is signed anew at the next start: the same positions, only later. */
  async #note(): Promise<void> {
    const operations = this.#unnoted.slice()
    try {
      await this.#settings.database.note(operations)
      this.#unnoted.splice(0, operations.length)
    } catch (error) {
      this.#settings.log.error(
        { err: error, waiting: operations.length },
        'signatures of receipts cannot be stored yet',
      )
    }
  }

  async #treeOf(position: number): Promise<SignedTree | undefined> {
    const waiting = [this.#current, ...this.#groups].find((group) => group !== undefined && covers(group, position))
    await waiting?.signed
    const kept = this.#trees.holding(position)
    if (kept !== undefined) return kept
    const stored = await lastReceiptUpTo(this.#settings.database, this.#settings.lane, position)
    if (stored === undefined || !covers(stored, position)) return undefined
    const { firstSequence, lastSequence, ...signed } = stored
    const leaves: Uint8Array[] = []
    for await (const row of this.#rows(firstSequence, lastSequence)) {
      leaves.push(receiptLeaves(row, this.#settings.rowBytes))
    }
    if (leaves.length !== stored.count) throw this.#differs(stored)
    const tree = new ReceiptTree(Buffer.concat(leaves))
    if (Buffer.compare(tree.root, stored.root) !== 0) throw this.#differs(stored)
    const entry = { signed, tree }
    this.#trees.keep(entry)
    return entry
  }

  /** Rows with a position among these journal entries, in order. */
  async *#rows(firstSequence: number, lastSequence: number): AsyncIterable<Uint8Array> {
    const { journal, rowBytes } = this.#settings
    for await (const { entry } of journal.readRange(firstSequence, lastSequence)) {
      if (entry.kind !== EntryKind.RECORDS) continue
      for (let at = 0; at < entry.count * rowBytes; at += rowBytes) {
        if (!isEmptyRecord(entry.rows, at)) yield entry.rows.slice(at, at + rowBytes)
      }
    }
  }

  /** Empty rows have no position: a batch read back from L1 may hold some. */
  #leavesOf({ rows, count }: RecordsEntry): Uint8Array {
    const { rowBytes } = this.#settings
    const filled = rows.subarray(0, count * rowBytes)
    let kept = 0
    for (let at = 0; at < filled.length; at += rowBytes) if (!isEmptyRecord(filled, at)) kept++
    if (kept === count) return receiptLeaves(filled, rowBytes)
    const packed = new Uint8Array(kept * rowBytes)
    kept = 0
    for (let at = 0; at < filled.length; at += rowBytes) {
      if (!isEmptyRecord(filled, at)) packed.set(filled.subarray(at, at + rowBytes), kept++ * rowBytes)
    }
    return receiptLeaves(packed, rowBytes)
  }

  #differs({ lane, firstPosition }: StoredMicroBatch): Error {
    return dataCorrupted(`lane ${lane}'s micro-batch at position ${firstPosition} is not what was signed`)
  }
}

function newGroup({ firstPosition, firstSequence, lastSequence }: DurableRows): Group {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  promise.catch(() => {}) // whoever waits for it hears of it; that nobody does is no fault
  const settle = { resolve, reject }
  const since = performance.now()
  return { firstPosition, firstSequence, lastSequence, leaves: [], count: 0, since, signed: promise, settle }
}
