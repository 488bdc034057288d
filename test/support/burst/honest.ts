import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReceiptVerifier } from '../../../client/receiptVerifier.ts'
import { type RecordClient, readResults } from '../../../client/recordClient.ts'
import { SubmitError } from '../../../client/submitError.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { decodeReceipts } from '../../../protocol/receiptWire.ts'
import { SIGNED_RECORD_BYTES } from '../../../protocol/record.ts'
import type { RecordResult } from '../../../protocol/wire.ts'
import type { TestLane } from '../laneFixture.ts'
import type { HttpHost } from './httpHost.ts'

const ROWS = 5
const PAUSE_MS = 30

/** Senders who come back when they are told to, and not before, until each of their records is in: settled, once, with a receipt. */
export class Honest {
  /** Of every record that was taken in. */
  readonly positions = new Set<number>()
  readonly #lane: TestLane
  readonly #receipts: ReceiptVerifier
  refused = 0
  answerMs: number[] = []

  constructor(lane: TestLane, receipts: ReceiptVerifier) {
    this.#lane = lane
    this.#receipts = receipts
  }

  /** New records of `evses` chargers in turn. */
  sign(firstEvse: number, evses: number, count: number): Uint8Array {
    const { fleet } = this.#lane
    return Buffer.concat(Array.from({ length: count }, (_, i) => fleet.sign(fleet.next(firstEvse + (i % evses)))))
  }

  async overHttp(host: HttpHost, rows: Uint8Array): Promise<void> {
    const { lane } = this.#lane
    const count = rows.length / SIGNED_RECORD_BYTES
    for (;;) {
      const judged = await host.post(rows, count)
      if (judged.kind === 'results') {
        const results = readResults(judged.results, count)
        const ranges = decodeReceipts(judged.receipts, lane)
        assert.ok(ranges !== undefined, 'receipts that cannot be read')
        this.#receipts.check({ lane, rows, rowBytes: SIGNED_RECORD_BYTES }, results, ranges)
        return this.#keep(results)
      }
      this.refused++
      await sleep(judged.retryAfterSeconds * 1_000)
    }
  }

  /** `client`: one that tries once, and checks receipts. */
  async overLibp2p(client: RecordClient, rows: Uint8Array): Promise<void> {
    for (;;) {
      try {
        return this.#keep(await client.submit({ lane: this.#lane.lane, rows }))
      } catch (error) {
        if (!(error instanceof SubmitError) || error.code !== 'OVERLOADED') throw error
        assert.ok(error.retryAfterMs > 0, 'refused without saying when to come back')
        this.refused++
        await sleep(error.retryAfterMs)
      }
    }
  }

  /** A charger that sends a few records, waits until they are in, and sends the next. */
  async feed(evse: number, send: (rows: Uint8Array) => Promise<void>, done: AbortSignal): Promise<void> {
    while (!done.aborted) {
      const rows = this.sign(evse, 1, ROWS)
      const startedAt = performance.now()
      await send(rows)
      this.answerMs.push(performance.now() - startedAt)
      await sleep(PAUSE_MS)
    }
  }

  /** What was counted since the last call. */
  take(): { requests: number; refused: number; answerMs: readonly number[] } {
    const taken = { requests: this.answerMs.length, refused: this.refused, answerMs: this.answerMs }
    this.answerMs = []
    this.refused = 0
    return taken
  }

  #keep(results: readonly RecordResult[]): void {
    for (const { code, position } of results) {
      // What is refused is not taken in: it does not come back as a duplicate.
      assert.equal(code, Outcome.SETTLED)
      assert.ok(!this.positions.has(position), `position ${position} was given twice`)
      this.positions.add(position)
    }
  }
}
