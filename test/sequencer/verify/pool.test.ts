import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordMessage } from '../../../protocol/domain.ts'
import { parseP256Key, verifyP256 } from '../../../protocol/p256.ts'
import { P256_LAYOUT } from '../../../protocol/scheme.ts'
import { VerifyPool } from '../../../sequencer/verify/pool.ts'
import { Verdict } from '../../../sequencer/verify/verifier.ts'
import { Random } from '../../support/generators/random.ts'
import { ACTIVE_FROM, localFleet, T0 } from '../localLane.ts'

const fleet = localFleet(40)
const rules = fleet.rules(ACTIVE_FROM)

function pool(maxKeysPerWorker = 16) {
  return new VerifyPool({
    layout: P256_LAYOUT,
    workers: 2,
    rowsPerSlab: 64,
    slabs: 32,
    gatherMs: 2,
    maxKeysPerWorker,
    domains: new Map([[0, fleet.domain]]),
  })
}

/** What one thread says, row by row, without slabs or caches. */
function direct(rows: Uint8Array, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const row = rows.subarray(i * 88, i * 88 + 88)
    const slot = new DataView(row.buffer, row.byteOffset).getUint32(0)
    if (row.subarray(0, 24).every((byte) => byte === 0)) return Verdict.EMPTY
    if (slot >= fleet.keys.length) return Verdict.UNKNOWN_EVSE
    const message = recordMessage(fleet.domain, row.subarray(0, 24), rules.evseLat(slot), rules.evseLon(slot))
    return verifyP256(parseP256Key(rules.evseKey(slot)), message, row.subarray(24)) ? Verdict.GOOD : Verdict.BAD
  })
}

function spoiled(count: number, random: Random): Uint8Array {
  const rows = fleet.rows(count)
  for (let i = 0; i < count; i++) {
    const row = rows.subarray(i * 88, i * 88 + 88)
    switch (random.int(0, 5)) {
      case 0:
        row[random.int(13, 87)]! ^= 1 << random.int(0, 7)
        break
      case 1:
        row.set([0, 0, 1, 0]) // slot 256: nobody
        break
      case 2:
        if (random.chance(0.5)) row.fill(0)
        else row.fill(0xff, 24)
        break
    }
  }
  return rows
}

test('verdicts of the workers are those of one thread, in any mixture of jobs', async () => {
  const workers = pool()
  const random = new Random(7)
  try {
    const jobs = Array.from({ length: 24 }, (_, i) => {
      const count = [1, 3, 64, 65, 130][i % 5]!
      const rows = spoiled(count, random)
      return { lane: 0, rows, count, rules, asOf: T0 + 86_400, verdicts: new Uint8Array(count).fill(9) }
    })
    await Promise.all(jobs.map((job) => workers.verify(job)))
    const seen = new Set<number>()
    for (const job of jobs) {
      const expected = direct(job.rows, job.count)
      assert.deepEqual([...job.verdicts], expected)
      for (const verdict of expected) seen.add(verdict)
    }
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3])
    assert.equal(workers.freeRows, 32 * 64)
  } finally {
    await workers.close()
  }
})

test("a slot's new key is used at once, whatever was parsed for it before", async () => {
  const workers = pool()
  try {
    const row = fleet.sign(fleet.next(3), 5)
    const job = (from: typeof rules) => ({
      lane: 0,
      rows: row,
      count: 1,
      rules: from,
      asOf: T0 + 86_400,
      verdicts: new Uint8Array(1).fill(9),
    })
    const before = job(rules)
    await workers.verify(before)
    assert.equal(before.verdicts[0], Verdict.BAD)
    const swapped = fleet.rules(ACTIVE_FROM)
    swapped.evses.descriptors.set(fleet.keys[5]!.publicKey, 3 * 85)
    const after = job(swapped)
    await workers.verify(after)
    assert.equal(after.verdicts[0], Verdict.GOOD)
  } finally {
    await workers.close()
  }
})
