import { aggregateBls, type BlsSignature, l1FromZcash, parseBlsSignature } from '../../../protocol/bls.ts'
import { recordMessage } from '../../../protocol/domain.ts'
import { encodeRecord } from '../../../protocol/record.ts'
import { BLS_LAYOUT } from '../../../protocol/scheme.ts'
import { BLS_MODULUS, coordinate, offCurveG2, outsideSubgroupG2, overModulus, withTorsionG2 } from './blsPoints.ts'
import type { Random } from './random.ts'
import { type AimedRecord, randomRecord, type World } from './record.ts'

const { bodyBytes, headBytes, recordStride, chunkRecords } = BLS_LAYOUT

/** Says whether the record at `at` passes check 1, and settles it as it will be: before the next is made up. */
export type EachRecord = (body: Uint8Array, at: number, aggregateIsGood: boolean) => boolean

/** The body of a BLS chunk: with the aggregate that an honest sequencer would post, or spoilt in one of the ways of `BLS_SPOILS`. */
export function randomBlsChunkBody(
  random: Random,
  { world, domain, spoiltBy }: { world: World; domain: Uint8Array; spoiltBy: string | undefined },
  each: EachRecord,
): Uint8Array {
  const body = new Uint8Array(bodyBytes)
  if (spoiltBy === undefined && random.chance(1 / 16)) {
    body.set(random.chance(0.5) ? random.bytes(bodyBytes) : body.fill(0xff))
    for (let i = 0; i < chunkRecords; i++) each(body, headBytes + i * recordStride, false)
    return body
  }
  const least = spoiltBy === undefined ? 0 : 12
  const records = random.chance(1 / 8) ? random.int(least, least + 3) : random.int(least, chunkRecords)
  const signed: Signed[] = []
  const refused: BlsSignature[] = []
  for (let i = 0; i < chunkRecords; i++) {
    const at = headBytes + i * recordStride
    const aimed = i < records ? randomRecord(random, world) : undefined
    if (aimed !== undefined) body.set(encodeRecord(aimed.record), at)
    const passes = each(body, at, spoiltBy === undefined)
    if (aimed === undefined) continue
    const one = { world, domain, aimed, bytes: body.slice(at, at + recordStride) }
    if (passes) signed.push(one)
    else refused.push(signOf(random, one))
  }
  const good = signed.map((one) => signOf(random, one))
  // Over no record there is nothing to verify: whatever stands there is as good as infinity.
  if (spoiltBy === undefined) body.set(aggregateBls(good))
  else body.set(spoils[spoiltBy]!({ random, world, good, signed, refused }))
  return body
}

interface Signed {
  readonly world: World
  readonly domain: Uint8Array
  readonly aimed: AimedRecord
  readonly bytes: Uint8Array
}

interface Spoilt {
  readonly random: Random
  readonly world: World
  readonly good: readonly BlsSignature[]
  readonly signed: readonly Signed[]
  /** Signatures of records that do not pass check 1. */
  readonly refused: readonly BlsSignature[]
}

/** Every way to post an aggregate that does not verify, as long as there is one record to verify. */
const spoils: Record<string, (given: Spoilt) => Uint8Array> = {
  infinity: () => new Uint8Array(headBytes),
  'all ones': () => new Uint8Array(headBytes).fill(0xff),
  noise: ({ random }) => random.bytes(headBytes),
  'off the curve': ({ random }) => offCurveG2(random),
  'outside the subgroup': ({ random }) => outsideSubgroupG2(random),
  'off by torsion': ({ random, good }) =>
    good.length === 0 ? outsideSubgroupG2(random) : withTorsionG2(random, aggregateBls(good)),
  'a bit off': ({ random, good }) => {
    const at = random.int(0, headBytes - 1)
    return aggregateBls(good).map((byte, i) => (i === at ? byte ^ (1 << random.int(0, 7)) : byte))
  },
  'coordinate above the modulus': ({ random, good }) => overModulus(aggregateBls(good), random.int(0, 3)),
  'coordinate at the modulus': ({ random, good }) => {
    const bytes = aggregateBls(good)
    bytes.set(coordinate(BLS_MODULUS), 48 * random.int(0, 3))
    return bytes
  },
  // Its halves exchanged.
  "libraries' order": ({ good }) => l1FromZcash(aggregateBls(good)),
  'the infinity flag of libraries': () => Uint8Array.from({ length: headBytes }, (_, i) => (i === 0 ? 0x40 : 0)),
  'one missing': ({ good }) => aggregateBls(good.slice(1)),
  'one twice': ({ good, random }) => aggregateBls(good.length === 0 ? good : [...good, random.pick(good)]),
  'one of another message': ({ good, random, signed }) =>
    aggregateBls(signed.length === 0 ? good : [...good.slice(1), signOf(random, signed[0]!, { lat: 1 })]),
  'one of another lane': ({ good, random, signed }) =>
    aggregateBls(signed.length === 0 ? good : [...good.slice(1), signOf(random, signed[0]!, { lane: 1 })]),
  'one of another charger': ({ good, random, world }) =>
    aggregateBls([...good.slice(1), randomSignature(random, world)]),
  'one of a record that fails check 1': ({ good, random, world, refused }) =>
    aggregateBls([...good, refused[0] ?? randomSignature(random, world)]),
}

function signOf(random: Random, one: Signed, change: { lat?: number; lane?: number } = {}): BlsSignature {
  const { evses } = one.world.facts
  const evse = evses[one.aimed.record.evse] ?? random.pick(evses)
  const { lat, lon } = evse.descriptor
  const domain = one.domain.with(0, one.domain[0]! ^ (change.lane ?? 0)) as Uint8Array
  return parseBlsSignature(evse.key.sign(recordMessage(domain, one.bytes, lat + (change.lat ?? 0), lon)))!
}

/** Of a message that nobody asks for. */
function randomSignature(random: Random, world: World): BlsSignature {
  return parseBlsSignature(random.pick(world.facts.evses).key.sign(random.bytes(64)))!
}

export const BLS_SPOILS: readonly string[] = Object.keys(spoils)
