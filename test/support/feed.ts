import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Outcome } from '../../protocol/outcome.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { DUPLICATE, readResult, RESULT_BYTES } from '../../protocol/wire.ts'
import type { Fleet } from './fleet.ts'

export interface Acknowledged {
  readonly row: Buffer
  readonly position: number
  readonly amountMicro: number
}

export interface FeedTarget {
  /** Undefined while there is no sequencer. */
  url: string | undefined
}

/** Chargers' gateway: sends a few records, keeps them until they are answered, then sends the next. By the record's bytes. */
export async function feed(options: {
  fleet: Fleet
  lane: number
  evses: readonly number[]
  target: FeedTarget
  acknowledged: Map<string, Acknowledged>
  /** Between answers, milliseconds. */
  pauseMs?: number
  done: AbortSignal
}): Promise<void> {
  const { fleet, lane, evses, target, acknowledged, pauseMs = 0, done } = options
  for (let round = 0; !done.aborted; round++) {
    const rows = Array.from({ length: 1 + (round % 9) }, (_, i) => fleet.sign(fleet.next(evses[i % evses.length]!)))
    for (;;) {
      const results = target.url === undefined ? undefined : await attempt(target.url, lane, Buffer.concat(rows))
      if (results === undefined) {
        if (done.aborted) return
        await sleep(20)
        continue
      }
      for (const [i, { code, position, amountMicro }] of results.entries()) {
        assert.ok(code === Outcome.SETTLED || code === DUPLICATE, `record answered ${code}`)
        const row = Buffer.from(rows[i]!)
        acknowledged.set(row.toString('hex', 0, 24), { row, position, amountMicro })
      }
      break
    }
    if (pauseMs > 0) await sleep(pauseMs)
  }
}

/** Every acknowledged record is on L1 where it was said to be, worth what was said, and none is there twice. */
export function assertKept(
  acknowledged: ReadonlyMap<string, Acknowledged>,
  onL1: { readonly rows: readonly Buffer[]; readonly amounts: readonly number[] },
): void {
  const positions = new Set<number>()
  for (const { row, position, amountMicro } of acknowledged.values()) {
    assert.ok(!positions.has(position), `position ${position} was given twice`)
    positions.add(position)
    assert.equal(onL1.rows[position]?.toString('hex'), row.toString('hex'), `position ${position} holds another record`)
    assert.equal(onL1.amounts[position], amountMicro)
  }
  const records = onL1.rows.map((row) => row.subarray(0, 24).toString('hex'))
  assert.equal(new Set(records).size, records.length, 'a record was taken in twice')
}

async function attempt(url: string, lane: number, body: Buffer): Promise<ReturnType<typeof readResult>[] | undefined> {
  try {
    const response = await fetch(`${url}/v1/lanes/${lane}/records`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' },
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(10_000),
    })
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (![200, 207, 208].includes(response.status)) return undefined
    // Receipts follow the results.
    const count = body.length / SIGNED_RECORD_BYTES
    return Array.from({ length: count }, (_, i) => readResult(bytes, i * RESULT_BYTES))
  } catch {
    return undefined
  }
}
