import { bls12_381 } from '@noble/curves/bls12-381.js'
import type { Random } from './random.ts'

// Points that are not what they should be, in L1's order (docs/protocol.md §15.5), made by a library that is not the one under test.

const { Fp, Fp2 } = bls12_381.fields
const { G1, G2 } = bls12_381
export const BLS_MODULUS = Fp.ORDER

type Element2 = ReturnType<typeof Fp2.create>

/** 48 bytes. */
export function coordinate(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(96, '0'), 'hex')
}

/** x.c0 ‖ x.c1 ‖ y.c0 ‖ y.c1, 192 bytes. */
export function l1Point(x: Element2, y: Element2): Uint8Array {
  return Buffer.concat([x.c0, x.c1, y.c0, y.c1].map(coordinate))
}

/** On the twist, outside the subgroup of order r: only a check for the subgroup tells it from a signature. */
export function outsideSubgroupG2(random: Random): Uint8Array {
  for (;;) {
    const x = Fp2.create({ c0: fieldElement(random), c1: fieldElement(random) })
    const y = root2(Fp2.add(Fp2.mul(Fp2.sqr(x), x), Fp2.create({ c0: 4n, c1: 4n })))
    if (y === undefined) continue
    if (!G2.Point.fromAffine({ x, y }).isTorsionFree()) return l1Point(x, y)
  }
}

/** `point` plus one of the cofactor's torsion: outside the subgroup, and as near to a point of it as can be. */
export function withTorsionG2(random: Random, point: Uint8Array): Uint8Array {
  const outside = pointOf(outsideSubgroupG2(random))
  const torsion = outside.multiply(bls12_381.fields.Fr.ORDER - 1n).add(outside)
  const { x, y } = pointOf(point).add(torsion).toAffine()
  return l1Point(x, y)
}

/** A point whose coordinates fit the field, and no curve. */
export function offCurveG2(random: Random): Uint8Array {
  const element = (): Element2 => Fp2.create({ c0: fieldElement(random), c1: fieldElement(random) })
  return l1Point(element(), element())
}

/** EIP-2537's x 64 ‖ y 64, on the curve and outside the subgroup. */
export function outsideSubgroupG1(random: Random): Uint8Array {
  for (;;) {
    const x = fieldElement(random)
    const y = root(Fp.add(Fp.mul(Fp.sqr(x), x), 4n))
    if (y === undefined) continue
    if (!G1.Point.fromAffine({ x, y }).isTorsionFree()) return eip2537Point(x, y)
  }
}

export function eip2537Point(x: bigint, y: bigint): Uint8Array {
  const pad = new Uint8Array(16)
  return Buffer.concat([pad, coordinate(x), pad, coordinate(y)])
}

/** The same point by another name: coordinate `index` (0…3) of a G2 point plus the modulus, where 384 bits hold that. */
export function overModulus(point: Uint8Array, index: number): Uint8Array {
  const at = index * 48
  const value = BigInt(`0x${Buffer.from(point.subarray(at, at + 48)).toString('hex')}`)
  const bytes = Uint8Array.from(point)
  bytes.set(coordinate(value + BLS_MODULUS), at)
  return bytes
}

function pointOf(point: Uint8Array): InstanceType<typeof G2.Point> {
  const [x0, x1, y0, y1] = [0, 48, 96, 144].map((at) =>
    BigInt(`0x${Buffer.from(point.subarray(at, at + 48)).toString('hex')}`),
  )
  return G2.Point.fromAffine({ x: Fp2.create({ c0: x0!, c1: x1! }), y: Fp2.create({ c0: y0!, c1: y1! }) })
}

function fieldElement(random: Random): bigint {
  return BigInt(`0x${Buffer.from(random.bytes(48)).toString('hex')}`) % BLS_MODULUS
}

function root2(square: Element2): Element2 | undefined {
  try {
    return Fp2.sqrt(square)
  } catch {
    return undefined
  }
}

function root(square: bigint): bigint | undefined {
  try {
    return Fp.sqrt(square)
  } catch {
    return undefined
  }
}
