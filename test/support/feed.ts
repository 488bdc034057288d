import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Outcome } from '../../protocol/outcome.ts'
import type { Receipt } from '../../protocol/receipt.ts'
import { DUPLICATE } from '../../protocol/wire.ts'
import { createHttpClient } from '../../client/http.ts'
import type { ReceiptVerifier } from '../../client/receiptVerifier.ts'
import type { AnsweredRecord, SubmitRequest } from '../../client/recordClient.ts'
import { SubmitError } from '../../client/submitError.ts'
import type { Fleet } from './fleet.ts'

export interface Acknowledged {
  readonly row: Buffer
  readonly position: number
  readonly amountMicro: number
  /** What the lane's operator promised, checked when it came. */
  readonly receipt?: Receipt | undefined
}

export interface FeedTarget {
  /** Undefined while there is no sequencer. */
  url: string | undefined
}

/** Chargers' gateway: sends a few records, keeps them until they are answered, then sends the next. By the record's bytes. */
export async function feed(options: {
  fleet: Fleet
  lane: number
  verifier: () => Promise<ReceiptVerifier>
  evses: readonly number[]
  target: FeedTarget
  acknowledged: Map<string, Acknowledged>
  /** Between answers, milliseconds. */
  pauseMs?: number
  done: AbortSignal
}): Promise<void> {
  const { fleet, lane, verifier, evses, target, acknowledged, pauseMs = 0, done } = options
  for (let round = 0; !done.aborted; round++) {
    const rows = Array.from({ length: 1 + (round % 9) }, (_, i) => fleet.sign(fleet.next(evses[i % evses.length]!)))
    for (;;) {
      const { url } = target
      const receipts = url === undefined ? undefined : await verifier()
      const results =
        url === undefined
          ? undefined
          : await attempt({ url, receipts: receipts! }, { lane, rows: Buffer.concat(rows), layout: fleet.layout })
      if (results === undefined) {
        if (done.aborted) return
        await sleep(20)
        continue
      }
      for (const [i, { code, position, amountMicro, receipt }] of results.entries()) {
        assert.ok(code === Outcome.SETTLED || code === DUPLICATE, `record answered ${code}`)
        const row = Buffer.from(rows[i]!)
        acknowledged.set(row.toString('hex', 0, 24), { row, position, amountMicro, receipt })
      }
      break
    }
    if (pauseMs > 0) await sleep(pauseMs)
  }
}

/** Every acknowledged record is on L1 where it was said to be, worth what was said, and none is there twice. */
export function assertKept(
  acknowledged: ReadonlyMap<string, Acknowledged>,
  onL1: { readonly rows: readonly Buffer[]; readonly rowBytes: number; readonly amounts: readonly number[] },
): void {
  const positions = new Set<number>()
  const asOnL1 = (row: Uint8Array): string => Buffer.from(row).toString('hex', 0, onL1.rowBytes)
  for (const { row, position, amountMicro, receipt } of acknowledged.values()) {
    assert.equal(receipt?.position ?? position, position)
    assert.equal(onL1.rows[position]?.toString('hex'), asOnL1(receipt?.row ?? row), 'promised')
    assert.ok(!positions.has(position), `position ${position} was given twice`)
    positions.add(position)
    assert.equal(onL1.rows[position]?.toString('hex'), asOnL1(row), `position ${position} holds another record`)
    assert.equal(onL1.amounts[position], amountMicro)
  }
  const records = onL1.rows.map((row) => row.subarray(0, 24).toString('hex'))
  assert.equal(new Set(records).size, records.length, 'a record was taken in twice')
}

/** Undefined when there was no answer that may be believed yet. What is falsely signed ends the test. */
async function attempt(
  to: { url: string; receipts: ReceiptVerifier },
  request: SubmitRequest,
): Promise<readonly AnsweredRecord[] | undefined> {
  await using client = createHttpClient({ ...to, retry: { attempts: 1 }, timeoutMs: 10_000 })
  try {
    return await client.submit(request)
  } catch (error) {
    // A chain whose clock is moved between our look at it and the signature.
    const isMoved = error instanceof SubmitError && error.fault === 'WRONG_TIME'
    if (error instanceof SubmitError && error.code === 'UNVERIFIED' && !isMoved) throw error
    return undefined
  }
}
