import { aggregateBls, parseBlsSignature } from '../../../protocol/bls.ts'
import { RECORD_BYTES } from '../../../protocol/limits.ts'
import { BLS_LAYOUT } from '../../../protocol/scheme.ts'
import type { Fleet } from '../fleet.ts'
import { offCurveG2, outsideSubgroupG2, overModulus, withTorsionG2 } from '../generators/blsPoints.ts'
import { Random } from '../generators/random.ts'
import type { HostileBody } from './hostile.ts'
import type { LieMaterial, Story } from './lies.ts'

const { headBytes, bodyBytes, chunkRecords } = BLS_LAYOUT
const MIDDLE = 1

/** In calldata all chunks but the last are whole. */
export function wholeBody(body: Uint8Array): Uint8Array {
  const whole = new Uint8Array(bodyBytes)
  whole.set(body)
  return whole
}

/** A chunk's whole body with the records of `rows` and the sum of the signatures of `summed`. */
export function summedBody(rows: readonly Uint8Array[], summed: readonly Uint8Array[] = rows): Uint8Array {
  const signatures = summed.map((row) => parseBlsSignature(row.subarray(RECORD_BYTES))!)
  return wholeBody(Buffer.concat([aggregateBls(signatures), ...rows.map((row) => row.subarray(0, RECORD_BYTES))]))
}

/** `body` with another aggregate. */
function headed(body: Uint8Array, head: Uint8Array): Uint8Array {
  return new Uint8Array([...head, ...body.subarray(headBytes)])
}

/** Lies about aggregates, all told in chunk 1. */
export async function aggregateLies({ rules, fleet, bodies }: LieMaterial): Promise<Story[]> {
  const random = new Random(77)
  const good = bodies[MIDDLE]!
  const rows = Array.from({ length: 4 }, (_, evse) => fleet.sign(fleet.next(evse)))
  const believed = (name: string, body: Uint8Array): Story => ({
    bodies: bodies.with(MIDDLE, body),
    lie: { name, chunk: MIDDLE, believes: true },
  })
  const more = await rules()
  const slot = more.evses.count
  more.applyEvsesRegistered({
    firstSlot: slot,
    activeFrom: more.evses.activeFrom[0]!,
    descriptors: fleet.evseDescriptors[0]!,
  })
  const unknown = fleet.sign({ ...fleet.next(0), evse: slot }, 0)
  return [
    believed('a wrong aggregate counted as good', headed(good, withTorsionG2(random, good.subarray(0, headBytes)))),
    believed('one signature missing, counted as good', summedBody(rows, rows.slice(1))),
    believed('no signature at all, counted as good', headed(good, new Uint8Array(headBytes))),
    { bodies, lie: { name: 'a good aggregate counted as bad', chunk: MIDDLE, believes: false } },
    {
      bodies: bodies.with(MIDDLE, summedBody([...rows, unknown], rows)),
      lie: { name: 'an unknown EVSE', chunk: MIDDLE, rules: more, believes: true },
    },
  ]
}

/** Chunks that no honest sequencer would post, and that L1 must be able to judge all the same (docs/protocol.md §14). */
export function hostileBlsBodies(fleet: Fleet): HostileBody[] {
  const random = new Random(78)
  const rows = Array.from({ length: 5 }, (_, i) => fleet.sign(fleet.next(i % fleet.keys.length)))
  const body = summedBody(rows)
  const aggregate = body.subarray(0, headBytes)
  const strange = (changes: Parameters<Fleet['next']>[1]): Uint8Array => fleet.sign(fleet.next(0, changes), 0)
  const flags = (flag: number): Uint8Array => aggregate.map((byte, i) => (i === 48 ? byte | flag : byte))
  return [
    { name: 'all 0xff', body: new Uint8Array(bodyBytes).fill(0xff) },
    { name: 'empty', body: new Uint8Array(bodyBytes) },
    { name: 'an aggregate over nothing', body: wholeBody(aggregate) },
    { name: 'aggregate off the curve', body: headed(body, offCurveG2(random)) },
    { name: 'aggregate out of the subgroup', body: headed(body, outsideSubgroupG2(random)) },
    { name: 'aggregate off by torsion', body: headed(body, withTorsionG2(random, aggregate)) },
    { name: 'infinity', body: headed(body, new Uint8Array(headBytes)) },
    { name: 'a coordinate above the modulus', body: headed(body, overModulus(aggregate, 2)) },
    { name: 'flag bits of libraries', body: headed(body, flags(0x40)) },
    { name: 'one signature missing', body: summedBody(rows, rows.slice(1)) },
    { name: 'one signature too many', body: summedBody(rows, [...rows, rows[0]!]) },
    { name: 'records that fail check 1, left out of the sum', body: withStrangers(rows) },
    { name: 'a record that fails check 1, in the sum', body: summedBody([...rows, strange({ evse: 0xffffffff })]) },
    { name: 'contract slots out of range', body: summedBody(Array(9).fill(strange({ contract: 0xffffffff }))) },
    { name: 'one record 64 times', body: summedBody(Array(chunkRecords).fill(rows[0])) },
    { name: 'start 2^32 - 1', body: summedBody([strange({ start: 0xffffffff, intervals: 255 })]) },
  ]

  function withStrangers(known: readonly Uint8Array[]): Uint8Array {
    const unknown = [0x00100000, 0x000fffff, 0xffffffff].map((evse) => strange({ evse }))
    return summedBody([unknown[0]!, ...known, unknown[1]!, unknown[2]!], known)
  }
}
