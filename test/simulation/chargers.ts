import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient } from '../../client/http.ts'
import { SubmitError } from '../../client/submitError.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { DUPLICATE } from '../../protocol/wire.ts'
import { Random } from '../support/generators/random.ts'
import type { TestLane } from '../support/laneFixture.ts'
import { verifierOf } from '../support/receipts.ts'

/** What is known of a record that a charger measured. */
export interface Fate {
  readonly row: Buffer
  /** Accepted here and for so much: what the lane promised. */
  promised: { readonly position: number; readonly amountMicro: number } | undefined
  /** Refused for good: one that came later was taken before it. */
  refused: boolean
  /** Said to be taken in just now, rather than before. */
  saidNew: boolean
}

/** What the network does to a submission. */
const TROUBLES = ['requestLost', 'answerLost', 'cutOff', 'twice', 'late', 'swapped'] as const
type Trouble = (typeof TROUBLES)[number]

const REQUEST_RECORDS = 9
const RETRY_MS = 25
const PATIENCE_MS = 8_000

/**
 * Chargers with outboxes: each sends its records in order and keeps them until they are answered, through a network that loses, repeats,
 * delays and swaps. What may never be said of a record, whatever happens, fails at once.
 */
export class Chargers {
  readonly fates = new Map<string, Fate>()
  readonly #lane: TestLane
  readonly #url: () => string | undefined
  readonly #outboxes: Fate[][]
  readonly #done = new AbortController()
  readonly #running: Promise<unknown>
  readonly counts: Record<Trouble | 'clean' | 'unanswered', number> = {
    clean: 0,
    unanswered: 0,
    requestLost: 0,
    answerLost: 0,
    cutOff: 0,
    twice: 0,
    late: 0,
    swapped: 0,
  }
  /** Why submissions were not answered, how often. */
  readonly unanswered = new Map<string, number>()
  fault: unknown
  networkTrouble = 0

  constructor(options: { lane: TestLane; chargers: number; seed: number; url: () => string | undefined }) {
    this.#lane = options.lane
    this.#url = options.url
    this.#outboxes = Array.from({ length: options.chargers }, () => [])
    this.#running = Promise.all(
      this.#outboxes.map((_, evse) => this.#deliver(evse, new Random(options.seed * 1_009 + evse))),
    ).catch((error: unknown) => {
      this.fault = error
      this.#done.abort()
    })
  }

  measure(evse: number, records: number): void {
    const { fleet } = this.#lane
    for (let i = 0; i < records; i++) {
      const row = Buffer.from(fleet.sign(fleet.next(evse)))
      const fate: Fate = { row, promised: undefined, refused: false, saidNew: false }
      this.fates.set(keyOf(row), fate)
      this.#outboxes[evse]!.push(fate)
    }
  }

  get waiting(): number {
    return this.#outboxes.reduce((sum, outbox) => sum + outbox.length, 0)
  }

  async stop(): Promise<void> {
    this.#done.abort()
    await this.#running
    if (this.fault !== undefined) throw this.fault
  }

  async #deliver(evse: number, random: Random): Promise<void> {
    const outbox = this.#outboxes[evse]!
    let late: Fate[] = []
    while (!this.#done.signal.aborted) {
      if (outbox.length === 0) {
        await sleep(RETRY_MS)
        continue
      }
      const some = outbox.slice(0, random.int(1, REQUEST_RECORDS))
      const trouble = random.chance(this.networkTrouble) ? random.pick(TROUBLES) : undefined
      this.counts[trouble ?? 'clean']++
      let answered = false
      switch (trouble) {
        case undefined:
          answered = await this.#send(some)
          break
        case 'requestLost':
          break
        case 'answerLost':
          await this.#send(some, { hear: false })
          break
        case 'cutOff':
          answered = await this.#send(some, { patienceMs: random.int(1, 40) })
          break
        case 'twice':
          answered = (await Promise.all([this.#send(some), this.#send(some)])).some(Boolean)
          break
        case 'late':
          answered = await this.#send(some)
          if (late.length > 0) await this.#send(late)
          late = some
          break
        case 'swapped':
          // Refused is what comes after its successor; both are answered by then.
          answered = await this.#send([...some].reverse())
          break
        default:
          trouble satisfies never
      }
      if (answered) outbox.splice(0, some.length)
      else {
        this.counts.unanswered++
        await sleep(RETRY_MS)
      }
    }
  }

  async #send(fates: readonly Fate[], how: { hear?: boolean; patienceMs?: number } = {}): Promise<boolean> {
    const url = this.#url()
    if (url === undefined) return false
    const receipts = await verifierOf(this.#lane).catch(() => undefined)
    if (receipts === undefined) return false
    const rows = Buffer.concat(fates.map(({ row }) => row))
    const timeoutMs = how.patienceMs ?? PATIENCE_MS
    await using client = createHttpClient({ url, receipts, retry: { attempts: 1 }, timeoutMs })
    try {
      const results = await client.submit({ lane: this.#lane.lane, rows })
      if (how.hear === false) return false
      for (const [i, { code, position, amountMicro, receipt }] of results.entries()) {
        if (receipt !== undefined) assert.equal(receipt.position, position, 'a receipt for another position')
        hear(fates[i]!, { code, position, amountMicro })
      }
      return true
    } catch (error) {
      if (!(error instanceof SubmitError)) throw error
      // The chain's clock is moved and put back under the chargers' eyes; nobody else's signature is ever right.
      if (error.code === 'UNVERIFIED' && error.fault !== 'WRONG_TIME') throw error
      if (error.code === 'REJECTED' || error.code === 'BAD_ANSWER') throw error
      const why = `${error.code}${error.code === 'NOT_ACCEPTING' ? `: ${error.message}` : ''}`
      this.unanswered.set(why, (this.unanswered.get(why) ?? 0) + 1)
      return false
    }
  }
}

export const keyOf = (row: Uint8Array): string => Buffer.from(row).toString('hex', 0, 24)

function hear(fate: Fate, said: { code: number; position: number; amountMicro: number }): void {
  const { code, position, amountMicro } = said
  const name = keyOf(fate.row)
  switch (code) {
    case Outcome.SETTLED:
      assert.ok(!fate.saidNew, `record ${name} was taken in twice`)
      fate.saidNew = true
      break
    case DUPLICATE:
      break
    case Outcome.OVERLAP:
      assert.equal(fate.promised, undefined, `record ${name} was acknowledged, and is refused now`)
      fate.refused = true
      return
    default:
      assert.fail(`record ${name} was answered ${code}`)
  }
  assert.ok(!fate.refused, `record ${name} was refused, and is acknowledged now`)
  fate.promised ??= { position, amountMicro }
  assert.deepEqual({ position, amountMicro }, fate.promised, `record ${name} was promised otherwise before`)
}
