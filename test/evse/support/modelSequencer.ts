import type { AnsweredRecord, RecordClient, SubmitRequest } from '../../../client/recordClient.ts'
import { SubmitError } from '../../../client/submitError.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import type { Receipt } from '../../../protocol/receipt.ts'
import { receiptLeaves, ReceiptTree } from '../../../protocol/receiptTree.ts'
import { decodeRecord } from '../../../protocol/record.ts'
import { DUPLICATE } from '../../../protocol/wire.ts'

/** What a sequencer does to the order of an EVSE's records, and nothing else of it; for tests that must bring about rare answers. */
export class ModelSequencer {
  /** Record bytes in hex, by position. */
  readonly settled: string[] = []
  readonly requests: number[] = []
  readonly #lastEnd = new Map<number, number>()
  readonly #positions = new Map<string, number>()
  /** Looked at before anything else: a refusal instead of settling; may throw for the whole request. */
  refuse: (record: ReturnType<typeof decodeRecord>) => Outcome | undefined = () => undefined
  before: () => Promise<void> | void = () => {}
  /** The records are taken in, and the answer is lost. */
  loseAnswer: () => boolean = () => false
  withReceipts: (record: ReturnType<typeof decodeRecord>) => boolean = () => true

  client(): RecordClient {
    const close = async (): Promise<void> => {}
    return { submit: (request) => this.#submit(request), close, [Symbol.asyncDispose]: close }
  }

  async #submit({ rows, signal }: SubmitRequest): Promise<AnsweredRecord[]> {
    await this.before()
    signal?.throwIfAborted()
    this.requests.push(rows.length / 88)
    const answers = Array.from({ length: rows.length / 88 }, (_, i) => this.#settle(rows.slice(i * 88, i * 88 + 88)))
    if (this.loseAnswer()) throw new SubmitError('NO_ANSWER', 'lost')
    return answers
  }

  #settle(row: Uint8Array): AnsweredRecord {
    const record = decodeRecord(row)
    const hex = Buffer.from(row.subarray(0, 24)).toString('hex')
    const known = this.#positions.get(hex)
    const promised = (position: number): Receipt | undefined =>
      this.withReceipts(record) ? receiptOf(row, position) : undefined
    if (known !== undefined) return { code: DUPLICATE, position: known, amountMicro: 1, receipt: promised(known) }
    const refused = this.refuse(record)
    if (refused !== undefined) return { code: refused, position: 0, amountMicro: 0 }
    if (record.start < (this.#lastEnd.get(record.evse) ?? 0)) {
      return { code: Outcome.OVERLAP, position: 0, amountMicro: 0 }
    }
    this.#lastEnd.set(record.evse, record.start + record.intervals)
    const position = this.settled.push(hex) - 1
    this.#positions.set(hex, position)
    return { code: Outcome.SETTLED, position, amountMicro: 1, receipt: promised(position) }
  }
}

/** Alone in its micro-batch: the row's own leaf is the root. */
function receiptOf(row: Uint8Array, position: number): Receipt {
  return {
    lane: 0,
    firstPosition: position,
    count: 1,
    time: 1_900_000_000,
    root: new ReceiptTree(receiptLeaves(row, 88)).root,
    signature: new Uint8Array(65),
    position,
    row,
    path: [],
  }
}
