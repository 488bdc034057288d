import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { aggregateBls, parseBlsSignature } from '../../protocol/bls.ts'
import { settlingChunks } from '../../protocol/chunk.ts'
import { chunkSignatures } from '../../protocol/chunkSignatures.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { judgeSignatures } from '../../prover/replay/judgeSignatures.ts'
import { replayChunks } from '../../prover/replay/replayChunks.ts'
import { SignaturePool } from '../../prover/replay/signaturePool.ts'
import { verifyAggregateSlab } from '../../prover/replay/signatureWorker.ts'
import { AGGREGATE_HEAD_BYTES, AGGREGATE_ROW_BYTES } from '../../prover/replay/slabs.ts'
import { buildBatch } from '../support/evil/buildBatch.ts'
import { Fleet } from '../support/fleet.ts'
import { offCurveG2, outsideSubgroupG2, withTorsionG2 } from '../support/generators/blsPoints.ts'
import { Random } from '../support/generators/random.ts'

const ACTIVE_FROM = 1_800_000_000
const AS_OF = ACTIVE_FROM + 3_000
const { chunkRecords, headBytes, rowBytes } = BLS_LAYOUT
const pool = new SignaturePool({ workers: 2 })
after(() => pool.close())

function newFleet(): Fleet {
  const name = { chainId: 31_337n, rollup: '0x00000000000000000000000000000000000000aa', lane: 0 } as const
  return new Fleet({ evses: 5, firstInterval: ACTIVE_FROM / 15, name, layout: BLS_LAYOUT })
}

/** A chunk of `records` with the sum of those rows' signatures alone that `summed` names. */
function bodyOf(rows: readonly Uint8Array[], summed = rows): Uint8Array {
  const body = new Uint8Array(BLS_LAYOUT.bodyBytes)
  body.set(aggregateBls(summed.map((row) => parseBlsSignature(row.subarray(24))!)))
  for (const [i, row] of rows.entries()) body.set(row.subarray(0, 24), headBytes + i * 24)
  return body
}

/** As the workers judge, and as one thread alone does. */
async function judge(rules: LaneRules, domain: Uint8Array, bodies: readonly Uint8Array[]): Promise<Uint8Array> {
  const preRoot = new Uint8Array(31)
  const chunks = settlingChunks(
    BLS_LAYOUT,
    bodies.map((body) => ({ preRoot, body })),
  )
  const verdicts = await judgeSignatures({ chunks, rules, asOf: AS_OF, domain, verifier: pool })
  const settlement = new Settlement(new LaneState(), rules, AS_OF)
  const alone = chunkSignatures({ rules, domain })
  const expected = Buffer.concat(chunks.map((chunk) => alone.judge(settlement, chunk)))
  assert.deepEqual(Buffer.from(verdicts), expected)
  return verdicts
}

const places = (verdicts: Uint8Array, chunk: number): number[] =>
  [...verdicts.subarray(chunk * chunkRecords, (chunk + 1) * chunkRecords).entries()].flatMap(([i, v]) => (v ? i : []))

test('an aggregate is asked for over the records that pass check 1, and over no other', async () => {
  const fleet = newFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const rows = Array.from({ length: 6 }, (_, i) => fleet.sign(fleet.next(i % 5)))
  // The third is of nobody; its signature stays out of the sum.
  const unknown = fleet.sign(fleet.next(2, { evse: 77 }), 2)
  const withUnknown = [...rows.slice(0, 2), unknown, ...rows.slice(2)]
  const empty = new Uint8Array(rowBytes)
  const spread = [rows[0]!, empty, rows[1]!]
  const bodies = [
    bodyOf(rows),
    bodyOf(withUnknown, rows),
    bodyOf(withUnknown),
    bodyOf(spread, rows.slice(0, 2)),
    bodyOf([unknown]),
    new Uint8Array(BLS_LAYOUT.bodyBytes),
  ]
  const verdicts = await judge(rules, fleet.domain, bodies)
  assert.deepEqual(places(verdicts, 0), [0, 1, 2, 3, 4, 5])
  assert.deepEqual(places(verdicts, 1), [0, 1, 3, 4, 5, 6])
  assert.deepEqual(places(verdicts, 2), [], 'the signature of a record that fails check 1 spoils the sum')
  assert.deepEqual(places(verdicts, 3), [0, 2])
  assert.deepEqual(places(verdicts, 4), [])
  assert.deepEqual(places(verdicts, 5), [])
})

test('all records of a chunk fail with an aggregate that is wrong, and no other chunk does', async () => {
  const fleet = newFleet()
  const random = new Random(8)
  const rows = Array.from({ length: 3 }, (_, i) => fleet.sign(fleet.next(i)))
  const good = bodyOf(rows)
  const headed = (head: Uint8Array): Uint8Array => {
    const body = good.slice()
    body.set(head)
    return body
  }
  const changed = good.slice()
  changed[headBytes + 24 + 15]! ^= 1
  const swapped = good.slice()
  swapped.set(good.subarray(48, 96))
  swapped.set(good.subarray(0, 48), 48)
  const bad = [
    bodyOf(rows, rows.slice(1)),
    bodyOf(rows, [...rows, rows[0]!]),
    headed(new Uint8Array(192)),
    headed(new Uint8Array(192).fill(0xff)),
    headed(offCurveG2(random)),
    headed(outsideSubgroupG2(random)),
    headed(withTorsionG2(random, good.subarray(0, 192))),
    swapped,
    changed,
  ]
  const verdicts = await judge(
    fleet.rules(ACTIVE_FROM),
    fleet.domain,
    bad.flatMap((body) => [good, body]),
  )
  for (const c of bad.keys()) {
    assert.deepEqual(places(verdicts, 2 * c), [0, 1, 2])
    assert.deepEqual(places(verdicts, 2 * c + 1), [], `bad aggregate ${c}`)
  }
})

test('one record 64 times is signed 64 times', async () => {
  const fleet = newFleet()
  const rows = Array<Uint8Array>(chunkRecords).fill(fleet.sign(fleet.next(0)))
  const verdicts = await judge(fleet.rules(ACTIVE_FROM), fleet.domain, [bodyOf(rows), bodyOf(rows, rows.slice(1))])
  assert.equal(places(verdicts, 0).length, 64)
  assert.equal(places(verdicts, 1).length, 0)
})

test('an honest BLS batch is right, and one that believed a wrong aggregate is not', async () => {
  const fleet = newFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const rows = Array.from({ length: 12 }, (_, i) => fleet.sign(fleet.next(i % 5)))
  const bodies = [bodyOf(rows.slice(0, 6)), bodyOf(rows.slice(6), rows.slice(7)), fleet.body(64)]
  for (const [lie, wrongAt] of [
    [undefined, undefined],
    [{ name: 'a wrong aggregate counted as good', chunk: 1, believes: true }, 1],
    [{ name: 'a good aggregate counted as bad', chunk: 0, believes: false }, 0],
  ] as const) {
    const parts = { asOf: AS_OF, bodies, domain: fleet.domain }
    const built = buildBatch(new LaneState(), rules, lie === undefined ? parts : { ...parts, lie })
    const chunks = settlingChunks(BLS_LAYOUT, built.chunks)
    const signatures = await judgeSignatures({ chunks, rules, asOf: AS_OF, domain: fleet.domain, verifier: pool })
    const { verdict } = replayChunks(new LaneState(), rules, {
      asOf: AS_OF,
      chunks,
      postRoot: built.postRoot,
      signatures,
    })
    if (wrongAt === undefined) {
      assert.equal(verdict.kind, 'right')
      assert.equal(built.settled, 6 + 64)
    } else assert.equal(verdict.kind === 'wrong' && verdict.chunk, wrongAt, lie.name)
  }
})

test('a slab of a broken size is a fault, not a verdict', () => {
  assert.throws(() => verifyAggregateSlab(new Uint8Array(AGGREGATE_HEAD_BYTES)), RangeError)
  assert.throws(() => verifyAggregateSlab(new Uint8Array(AGGREGATE_HEAD_BYTES + AGGREGATE_ROW_BYTES + 1)), RangeError)
})
