import type { Address } from 'viem'
import { INTERVAL_SECONDS, NOTICE_SECONDS } from '../protocol/limits.ts'
import { Outcome } from '../protocol/outcome.ts'
import {
  microBatchDigest,
  type RangeReceipt,
  type Receipt,
  receiptDomain,
  receiptsOfRange,
  recoverReceiptSigner,
} from '../protocol/receipt.ts'
import { recordStart } from '../protocol/record.ts'
import { DUPLICATE, type RecordResult } from '../protocol/wire.ts'
import { SubmitError } from './submitError.ts'

export interface ReceiptTrust {
  readonly chainId: bigint
  readonly rollup: Address
  /**
   * The lane's operator on L1: nobody else's word binds the lane. Several while it changes, for who cannot look at L1. Undefined: not a lane of
   * ours.
   */
  readonly operatorOf: (lane: number) => Address | readonly Address[] | undefined
  /** Seconds, of a clock of one's own. Default: the system's. */
  readonly now?: () => number
}

/** Why an answer is not believed. */
export type ReceiptFault =
  /** Accepted, it says, and no receipt for it. */
  | 'NO_RECEIPT'
  /** Not signed by the lane's operator. */
  | 'WRONG_SIGNER'
  /** Signed at another time than now: it might expire before it can be held against anyone. */
  | 'WRONG_TIME'
  /** Not for these records, or not at these positions. */
  | 'WRONG_PLACE'

/** More than the clocks of two machines that keep time differ by (docs/protocol.md §13). */
export const RECEIPT_CLOCK_SECONDS = 60
/** Signatures that were checked: every record of a micro-batch comes with the same one, and checking takes 2 ms. */
const MAX_KNOWN_SIGNATURES = 256

export interface Submitted {
  readonly lane: number
  readonly rows: Uint8Array
  readonly rowBytes: number
}

/** Checks a sequencer's receipts as an EVSE or gateway does: it keeps a record until its receipt has passed. */
export class ReceiptVerifier {
  readonly #trust: ReceiptTrust
  readonly #domain: Uint8Array
  readonly #known = new Set<string>()

  constructor(trust: ReceiptTrust) {
    this.#trust = trust
    this.#domain = receiptDomain(trust.chainId, trust.rollup)
  }

  /**
   * Receipts in the order of the records, undefined for records that were not accepted, and for duplicates that the answer brings none of.
   * @throws SubmitError UNVERIFIED, with its `fault`.
   */
  check(
    submitted: Submitted,
    results: readonly RecordResult[],
    ranges: readonly RangeReceipt[],
  ): (Receipt | undefined)[] {
    const receiptOf = new Map<number, (row: Uint8Array) => Receipt>()
    const rowsAt = new Map<number, number>()
    for (const [row, { code, position }] of results.entries()) {
      if ((code === Outcome.SETTLED || code === DUPLICATE) && !rowsAt.has(position)) rowsAt.set(position, row)
    }
    for (const range of ranges) this.#checkRange(submitted, results, { range, rowsAt, receiptOf })
    return results.map(({ code, position }, row) => {
      if (code !== Outcome.SETTLED && code !== DUPLICATE) return undefined
      const receipt = receiptOf.get(position)?.(rowOf(submitted, row))
      if (receipt === undefined && code === Outcome.SETTLED) throw unverified('NO_RECEIPT', position)
      return receipt
    })
  }

  /**
   * One record's receipt that somebody kept and passed on, a gateway or a file: as old as the acceptance, so its time is bounded by the record's end
   * and not by the clock, as a duplicate's. `receipt.row` is the record's row.
   * @throws SubmitError UNVERIFIED, with its `fault`.
   */
  checkKept(lane: number, result: RecordResult, receipt: Receipt): Receipt {
    const { row, path, ...place } = receipt
    const range: RangeReceipt = { ...place, records: 1, siblings: path }
    const kept: RecordResult = { ...result, code: DUPLICATE }
    const [checked] = this.check({ lane, rows: row, rowBytes: row.length }, [kept], [range])
    if (checked === undefined) throw unverified('NO_RECEIPT', result.position)
    return checked
  }

  /** Whether a receipt is for this deployment: the same lane number elsewhere is another lane. */
  isFor(deployment: { readonly chainId: number | bigint; readonly rollup: Address }): boolean {
    const { chainId, rollup } = this.#trust
    return BigInt(deployment.chainId) === chainId && deployment.rollup.toLowerCase() === rollup.toLowerCase()
  }

  #checkRange(
    submitted: Submitted,
    results: readonly RecordResult[],
    into: {
      range: RangeReceipt
      rowsAt: ReadonlyMap<number, number>
      receiptOf: Map<number, (row: Uint8Array) => Receipt>
    },
  ): void {
    const { range, rowsAt, receiptOf } = into
    const { rowBytes } = submitted
    if (range.lane !== submitted.lane || !Number.isSafeInteger(range.position + range.records)) {
      throw unverified('WRONG_PLACE', range.position)
    }
    const rows = new Uint8Array(range.records * rowBytes)
    for (let i = 0; i < range.records; i++) {
      const row = rowsAt.get(range.position + i)
      if (row === undefined) throw unverified('WRONG_PLACE', range.position + i)
      rows.set(rowOf(submitted, row), i * rowBytes)
      this.#checkTime(range, rows.subarray(i * rowBytes), results[row]!)
    }
    const receiptAt = receiptsOfRange(range, rows, rowBytes)
    if (receiptAt === undefined) throw unverified('WRONG_PLACE', range.position)
    if (!this.#isOperators(range)) throw unverified('WRONG_SIGNER', range.position)
    for (let i = 0; i < range.records; i++) {
      const receipt = receiptAt(i)
      receiptOf.set(range.position + i, (row) => {
        // The same record twice in one request: both must be the bytes that were promised.
        if (Buffer.compare(row, receipt.row) !== 0) throw unverified('WRONG_PLACE', receipt.position)
        return receipt
      })
    }
  }

  /** A duplicate's receipt is as old as its first acceptance, which was not before the record's end but for a batch's dating ahead. */
  #checkTime({ time, position }: RangeReceipt, row: Uint8Array, { code }: RecordResult): void {
    const now = this.#trust.now?.() ?? Math.floor(Date.now() / 1000)
    const end = (recordStart(row, 0) + row[12]!) * INTERVAL_SECONDS
    const earliest = code === DUPLICATE ? end - NOTICE_SECONDS : now - RECEIPT_CLOCK_SECONDS
    if (time < earliest || time > now + RECEIPT_CLOCK_SECONDS) throw unverified('WRONG_TIME', position)
  }

  #isOperators(range: RangeReceipt): boolean {
    const operators = [this.#trust.operatorOf(range.lane) ?? []].flat().map((operator) => operator.toLowerCase())
    const digest = microBatchDigest(this.#domain, range)
    const name = Buffer.concat([digest, range.signature]).toString('latin1')
    if (operators.some((operator) => this.#known.has(`${operator} ${name}`))) return true
    const signer = recoverReceiptSigner(digest, range.signature)?.toLowerCase()
    if (signer === undefined || !operators.includes(signer)) return false
    if (this.#known.size >= MAX_KNOWN_SIGNATURES) this.#known.clear()
    this.#known.add(`${signer} ${name}`)
    return true
  }
}

function rowOf({ rows, rowBytes }: Submitted, row: number): Uint8Array {
  return rows.subarray(row * rowBytes, (row + 1) * rowBytes)
}

const reasons: Readonly<Record<ReceiptFault, string>> = {
  NO_RECEIPT: 'there is no receipt for it',
  WRONG_SIGNER: 'its receipt is not signed by the lane’s operator',
  WRONG_TIME: 'its receipt was signed at another time',
  WRONG_PLACE: 'its receipt is not for this record at this position',
}

export function unverified(fault: ReceiptFault, position: number): SubmitError {
  const message = `the answer for position ${position} is not believed: ${reasons[fault]}`
  return new SubmitError('UNVERIFIED', message, { fault })
}
