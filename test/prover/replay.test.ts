import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { settlingChunks } from '../../protocol/chunk.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { P256_CHUNK_RECORDS } from '../../protocol/limits.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { judgeSignatures } from '../../prover/replay/judgeSignatures.ts'
import { atChunk, type JudgedBatch, replayChunks } from '../../prover/replay/replayChunks.ts'
import { SignaturePool } from '../../prover/replay/signaturePool.ts'
import { verifySlab } from '../../prover/replay/signatureWorker.ts'
import { SLAB_ROW_BYTES } from '../../prover/replay/slabs.ts'
import { toHex } from '../../l1/bytes.ts'
import { type BuiltBatch, buildBatch, type Lie } from '../support/evil/buildBatch.ts'
import { Fleet } from '../support/fleet.ts'

const ACTIVE_FROM = 1_800_000_000
const ROLLUP = '0x00000000000000000000000000000000000000aa'
const pool = new SignaturePool({ workers: 2 })
after(() => pool.close())

function material(chunks: number, lie?: Lie) {
  const fleet = new Fleet({
    evses: 5,
    firstInterval: ACTIVE_FROM / 15,
    name: { chainId: 31_337n, rollup: ROLLUP, lane: 0 },
  })
  const rules = fleet.rules(ACTIVE_FROM)
  const bodies = Array.from({ length: chunks }, () => fleet.rows(P256_CHUNK_RECORDS))
  // One forged, one of an EVSE that is not registered, one place empty.
  bodies[0]![SIGNED_RECORD_BYTES - 1]! ^= 1
  bodies[0]!.set([0, 0, 1, 0], 2 * SIGNED_RECORD_BYTES)
  bodies[0]!.fill(0, 3 * SIGNED_RECORD_BYTES, 4 * SIGNED_RECORD_BYTES)
  const asOf = ACTIVE_FROM + 3_000
  const { domain } = fleet
  const built = buildBatch(new LaneState(), rules, { asOf, bodies, domain, ...(lie === undefined ? {} : { lie }) })
  return { rules, domain, built }
}

async function judged(given: ReturnType<typeof material>): Promise<JudgedBatch> {
  const { rules, domain, built } = given
  const { asOf, postRoot } = built
  const chunks = settlingChunks(rules.layout, built.chunks)
  const signatures = await judgeSignatures({ chunks, rules, asOf, domain, verifier: pool })
  return { asOf, chunks, postRoot, signatures }
}

const hexRoots = (built: BuiltBatch): string[] => [
  ...built.chunks.slice(1).map((c) => toHex(c.preRoot)),
  toHex(built.postRoot),
]

test('an honest batch is right, leaves the state after it, and agrees with a run of its own', async () => {
  const given = material(4)
  const batch = await judged(given)
  const state = new LaneState()
  const result = replayChunks(state, given.rules, batch)
  assert.deepEqual(result, { verdict: { kind: 'right' }, records: 4 * 22 - 1, settled: given.built.settled })
  assert.equal(given.built.settled, 4 * 22 - 3, 'the forged, the unknown and the empty one do not settle')
  assert.deepEqual(state.root(), given.built.postRoot)
})

test('signatures are judged in the workers as they are without: forged 0, unknown EVSE 0, empty 0', async () => {
  const { signatures } = await judged(material(1))
  const expected = new Uint8Array(P256_CHUNK_RECORDS).fill(1)
  for (const place of [0, 2, 3]) expected[place] = 0
  assert.deepEqual(signatures, expected)
})

test('a slab of a broken size is a fault, not a verdict', () => {
  assert.throws(() => verifySlab(new Uint8Array(SLAB_ROW_BYTES + 1)), RangeError)
})

const claim = (root: Uint8Array): Uint8Array => root.with(7, root[7]! ^ 0x80) as Uint8Array

// Sixteen roots are hashed together: first, midst and last of such a sixteen, and of the batch.
for (const chunk of [0, 1, 14, 15, 16, 17, 31, 33]) {
  test(`a wrong root after chunk ${chunk} of 34 is found there, and the state stays the parent's`, async () => {
    const given = material(34, { name: 'another root', chunk, claim })
    const honest = hexRoots(material(34).built)
    const batch = await judged(given)
    const state = new LaneState()
    const { verdict, records, settled } = replayChunks(state, given.rules, batch)
    assert.equal(verdict.kind, 'wrong')
    if (verdict.kind !== 'wrong') return
    assert.equal(verdict.chunk, chunk)
    assert.equal(toHex(verdict.computed), honest[chunk])
    assert.equal(toHex(verdict.claimed), hexRoots(given.built)[chunk])
    assert.deepEqual([records, settled], [22 * (chunk + 1) - 1, 22 * (chunk + 1) - 3], 'counted up to there')
    assert.deepEqual(state.root(), new LaneState().root())
    const before = atChunk(state, given.rules, batch, { chunk, look: (at) => toHex(at.root()) })
    assert.equal(before, chunk === 0 ? toHex(new LaneState().root()) : honest[chunk - 1])
    assert.deepEqual(state.root(), new LaneState().root(), 'looking changes nothing')
  })
}

test('of two wrong roots the first is found, and the next batch on the same state is judged as if there had been none', async () => {
  const given = material(20, { name: 'another root', chunk: 18, claim })
  const batch = await judged(given)
  const chunks = batch.chunks.map((chunk, k) => (k === 6 ? { ...chunk, preRoot: claim(chunk.preRoot) } : chunk))
  const state = new LaneState()
  const { verdict } = replayChunks(state, given.rules, { ...batch, chunks })
  assert.equal(verdict.kind === 'wrong' && verdict.chunk, 5)
  const honest = material(20)
  assert.equal(replayChunks(state, honest.rules, await judged(honest)).verdict.kind, 'right')
  assert.deepEqual(state.root(), honest.built.postRoot)
})

test('roots that somebody noted and left are not taken for those of a batch', async () => {
  const given = material(2)
  const state = new LaneState()
  state.noteRoot()
  assert.equal(replayChunks(state, given.rules, await judged(given)).verdict.kind, 'right')
})

test('a chunk that cannot be executed is a fault, but hides no wrong root before it', async () => {
  const failing = async (given: ReturnType<typeof material>): Promise<JudgedBatch> => {
    const batch = await judged(given)
    const broken = {
      ...batch.chunks[3]!,
      get records(): never {
        throw new Error('unreadable')
      },
    }
    return { ...batch, chunks: batch.chunks.with(3, broken) }
  }
  const state = new LaneState()
  const honest = material(4)
  const batch = await failing(honest)
  assert.throws(() => replayChunks(state, honest.rules, batch), /unreadable/)
  assert.deepEqual(state.root(), new LaneState().root())
  const given = material(4, { name: 'another root', chunk: 1, claim })
  const { verdict } = replayChunks(state, given.rules, await failing(given))
  assert.equal(verdict.kind === 'wrong' && verdict.chunk, 1)
})

test('a look that throws puts the state back too', async () => {
  const given = material(2)
  const batch = await judged(given)
  const state = new LaneState()
  const look = (): never => {
    throw new Error('no')
  }
  assert.throws(() => atChunk(state, given.rules, batch, { chunk: 1, look }), /no/)
  assert.deepEqual(state.root(), new LaneState().root())
})
