import { inTurn, type RecordMaker, splitRows } from './recordMaker.ts'

/** Of a request, unless a benchmark says otherwise. */
export const REQUEST_RECORDS = 256

/** Gives every connection its own EVSEs, since an EVSE's records must come in order. */
export class Feeder {
  readonly #maker: RecordMaker
  readonly #turns: { next: number }[]

  constructor(maker: RecordMaker, connections: number) {
    this.#maker = maker
    this.#turns = Array.from({ length: connections }, () => ({ next: 0 }))
  }

  /** So many requests for each connection; `rows`: all of them. */
  next(requestsEach: number, recordsEach = REQUEST_RECORDS): { bodies: Uint8Array[][]; rows: Uint8Array } {
    const { evses, layout } = this.#maker
    const count = requestsEach * recordsEach
    const lists = this.#turns.map((turn, c) =>
      this.#maker.rows(inTurn(turn, { from: c, step: this.#turns.length, end: evses }, count), count),
    )
    return { bodies: lists.map((rows) => splitRows(rows, recordsEach, layout.rowBytes)), rows: Buffer.concat(lists) }
  }
}
