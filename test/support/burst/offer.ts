import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { readResults } from '../../../client/recordClient.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { SIGNED_RECORD_BYTES } from '../../../protocol/record.ts'
import { DUPLICATE, MAX_REQUEST_RECORDS } from '../../../protocol/wire.ts'
import type { Tally } from '../siege/tally.ts'
import type { HttpHost } from './httpHost.ts'

/**
 * Requests that cost the sequencer its verification and this side nothing: records that settled before, every other time with signatures that fit
 * none of them. A signature is checked before it is looked up whether its record is known, and a forged one is found out in no other way.
 */
export class Offer {
  readonly answerMs: number[] = []
  readonly #stock: readonly Uint8Array[]
  readonly #tally: Tally
  #turn = 0

  /** `settled`: full requests of records that are in. */
  constructor(settled: readonly Uint8Array[], tally: Tally) {
    this.#stock = settled.flatMap((rows) => [rows, forged(rows)])
    this.#tally = tally
  }

  next(): Uint8Array {
    return this.#stock[this.#turn++ % this.#stock.length]!
  }

  /** Whether it was answered with results. */
  async send(from: HttpHost, name: string): Promise<boolean> {
    const startedAt = performance.now()
    const judged = await from.post(this.next(), MAX_REQUEST_RECORDS)
    this.#tally.add(`${name}: ${judged.kind === 'results' ? 'answered' : judged.code}`)
    if (judged.kind === 'refused') return false
    this.answerMs.push(performance.now() - startedAt)
    for (const { code } of readResults(judged.results, MAX_REQUEST_RECORDS)) {
      assert.ok(code === DUPLICATE || code === Outcome.BAD_SIGNATURE, `answered ${code}`)
    }
    return true
  }

  /** Records a second, of hosts that each wait for their answers. Nobody is refused. */
  async sustain(hosts: readonly HttpHost[], ms: number, name: string): Promise<number> {
    const startedAt = performance.now()
    let answered = 0
    const one = async (from: HttpHost): Promise<void> => {
      while (performance.now() - startedAt < ms) {
        assert.ok(await this.send(from, name), `${name}: refused though there was room`)
        answered += MAX_REQUEST_RECORDS
      }
    }
    await Promise.all(hosts.map(one))
    return Math.round((answered * 1_000) / (performance.now() - startedAt))
  }

  /** Sends at a rate whatever it is answered, as far as HTTP lets it: a connection takes one request at a time. */
  async pour(from: HttpHost, recordsPerSecond: number, name: string, done: AbortSignal): Promise<void> {
    const underWay = new Set<Promise<unknown>>()
    let fault: unknown
    const startedAt = performance.now()
    for (let offered = 0; !done.aborted; ) {
      const due = ((performance.now() - startedAt) * recordsPerSecond) / (1_000 * MAX_REQUEST_RECORDS)
      for (; offered < due; offered++) {
        this.#tally.add(`${name}: offered`)
        if (from.isHeldBack) {
          this.#tally.add(`${name}: held back by HTTP`)
          continue
        }
        const one = this.send(from, name).catch((error: unknown) => {
          fault = error
        })
        underWay.add(one)
        void one.then(() => underWay.delete(one))
      }
      if (fault !== undefined) throw fault
      await sleep(10)
    }
    await Promise.all(underWay)
    if (fault !== undefined) throw fault
  }
}

function forged(rows: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(rows)
  for (let end = SIGNED_RECORD_BYTES; end <= rows.length; end += SIGNED_RECORD_BYTES) copy[end - 1]! ^= 1
  return copy
}
