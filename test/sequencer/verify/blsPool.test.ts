import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { PublicKey, Signature, verify } from '@chainsafe/blst'
import { recordMessage } from '../../../protocol/domain.ts'
import { BLS_LAYOUT } from '../../../protocol/scheme.ts'
import { VerifyPool } from '../../../sequencer/verify/pool.ts'
import { Verdict, type VerifyJob } from '../../../sequencer/verify/verifier.ts'
import { Random } from '../../support/generators/random.ts'
import { ACTIVE_FROM, localFleet, T0 } from '../localLane.ts'

const { rowBytes } = BLS_LAYOUT
const fleet = localFleet(24, BLS_LAYOUT)
const rules = fleet.rules(ACTIVE_FROM)

function pool() {
  return new VerifyPool({
    layout: BLS_LAYOUT,
    workers: 1,
    rowsPerSlab: 32,
    slabs: 32,
    gatherMs: 2,
    maxKeysPerWorker: 16,
    domains: new Map([[0, fleet.domain]]),
  })
}

function jobOf(rows: Uint8Array): VerifyJob {
  const count = rows.length / rowBytes
  return { lane: 0, rows, count, rules, asOf: T0 + 86_400, verdicts: new Uint8Array(count).fill(9) }
}

const rowOf = (rows: Uint8Array, i: number): Uint8Array => rows.subarray(i * rowBytes, (i + 1) * rowBytes)

/** Each signature alone, by blst's own checked parser: no groups, no caches, no slabs. */
function direct(rows: Uint8Array): number[] {
  return Array.from({ length: rows.length / rowBytes }, (_, i) => {
    const row = rowOf(rows, i)
    if (row.subarray(0, 24).every((byte) => byte === 0)) return Verdict.EMPTY
    const slot = new DataView(row.buffer, row.byteOffset).getUint32(0)
    if (slot >= fleet.keys.length) return Verdict.UNKNOWN_EVSE
    const message = recordMessage(fleet.domain, row.subarray(0, 24), rules.evseLat(slot), rules.evseLon(slot))
    const key = fleet.keys[slot]!.publicKey
    const affine = Buffer.concat([key.subarray(16, 64), key.subarray(80, 128)])
    try {
      const signature = Signature.fromBytes(row.subarray(24), true, true)
      return verify(message, PublicKey.fromBytes(affine, true), signature) ? Verdict.GOOD : Verdict.BAD
    } catch {
      return Verdict.BAD
    }
  })
}

/** A point of the curve that is not in the subgroup. */
function outsideSubgroup(): Uint8Array {
  for (let x = 1; ; x++) {
    const bytes = new Uint8Array(96)
    bytes[0] = 0x80
    bytes[95] = x
    try {
      // One in 2^253 points of the curve lies in the subgroup: none of these does.
      return Signature.fromBytes(bytes, false).toBytes(false)
    } catch {
      // no point has this x
    }
  }
}

const rogue = outsideSubgroup()

function spoiled(count: number, badShare: number, random: Random): Uint8Array {
  const rows = fleet.rows(count)
  for (let i = 0; i < count; i++) {
    if (!random.chance(badShare)) continue
    const row = rowOf(rows, i)
    const other = rowOf(rows, random.int(0, count - 1)).slice(24)
    switch (random.int(0, 7)) {
      case 0:
        row[random.int(13, rowBytes - 1)]! ^= 1 << random.int(0, 7)
        break
      case 1:
        row.set([0, 0, 1, 0]) // slot 256: nobody
        break
      case 2:
        row.fill(0)
        break
      case 3:
        row.fill(0xff, 24)
        break
      case 4:
        row.set(rogue, 24)
        break
      case 5:
        row.fill(0, 24)
        row[24] = 0x40 // infinity
        break
      default:
        row.set(other, 24) // a good signature, of something else
    }
  }
  return rows
}

test('verdicts of the worker are those of one signature after the other, in any mixture of jobs', async () => {
  const engine = pool()
  const random = new Random(7)
  try {
    const jobs = Array.from({ length: 18 }, (_, i) =>
      jobOf(spoiled([1, 3, 32, 33, 70][i % 5]!, [0, 0.02, 0.3, 1][i % 4]!, random)),
    )
    await Promise.all(jobs.map((job) => engine.verify(job)))
    const seen = new Set<number>()
    for (const job of jobs) {
      const expected = direct(job.rows)
      assert.deepEqual([...job.verdicts], expected)
      for (const verdict of expected) seen.add(verdict)
    }
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3])
    assert.equal(engine.freeRows, 32 * 32)
  } finally {
    await engine.close()
  }
})

test('two bad signatures that make up for each other are both found', async () => {
  const engine = pool()
  try {
    const rows = fleet.rows(8)
    const [a, b] = [2, 5].map((i) => bls12_381.G2.Point.fromBytes(rowOf(rows, i).subarray(24)))
    const shift = bls12_381.G2.Point.BASE.multiply(77n)
    rowOf(rows, 2).set(a!.add(shift).toBytes(false), 24)
    rowOf(rows, 5).set(b!.subtract(shift).toBytes(false), 24)
    const job = jobOf(rows)
    await engine.verify(job)
    assert.deepEqual([...job.verdicts], [1, 1, 0, 1, 1, 0, 1, 1])
  } finally {
    await engine.close()
  }
})

test('a compressed signature counts, and its row holds it uncompressed afterwards', async () => {
  const engine = pool()
  try {
    const full = fleet.rows(4)
    const rows = full.slice()
    for (const i of [0, 1, 2]) {
      const compressed = Signature.fromBytes(rowOf(full, i).subarray(24)).toBytes(true)
      rowOf(rows, i).fill(0, 24)
      rowOf(rows, i).set(compressed, 24)
    }
    rowOf(rows, 1)[200] = 1 // behind the compressed form there is nothing
    rowOf(rows, 2)[13]! ^= 1 // another record
    const before = rowOf(rows, 2).slice()
    const job = jobOf(rows)
    await engine.verify(job)
    assert.deepEqual([...job.verdicts], [1, 0, 0, 1])
    assert.deepEqual(rowOf(rows, 0), rowOf(full, 0))
    assert.deepEqual(rowOf(rows, 2), before)
  } finally {
    await engine.close()
  }
})

test('what comes while the worker is busy becomes one task', async () => {
  const [FIRST, LATER] = [240, 20]
  const tasks: number[] = []
  const engine = new VerifyPool({
    layout: BLS_LAYOUT,
    workers: 1,
    rowsPerSlab: FIRST,
    slabs: 8,
    gatherMs: 0,
    maxKeysPerWorker: 64,
    domains: new Map([[0, fleet.domain]]),
    metrics: { verified: (rows) => tasks.push(rows) },
  })
  try {
    const rows = Array.from({ length: LATER }, () => fleet.rows(1))
    const first = engine.verify(jobOf(fleet.rows(FIRST)))
    const later: Promise<void>[] = []
    let whileBusy = 0
    for (const row of rows) {
      if (tasks.length === 0) whileBusy++
      later.push(engine.verify(jobOf(row)))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all([first, ...later])
    assert.equal(tasks[0], FIRST)
    // All of them, unless this thread got no time for as long as the worker takes.
    assert.ok(tasks[1]! >= whileBusy, `${tasks} of ${whileBusy} while it was busy`)
    assert.equal(
      tasks.reduce((sum, count) => sum + count),
      FIRST + LATER,
    )
  } finally {
    await engine.close()
  }
})
