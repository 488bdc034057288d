// Writes bls.json: hashes, keys, proofs of possession and signatures by @noble/curves, in the forms that L1 takes, and forgeries.
// Everything is deterministic. `node test/vectors/generate-bls.ts`
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { bls12_381 } from '@noble/curves/bls12-381.js'

const DST = 'BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_'
const POSSESSION_DST = 'BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_'
const SIGNERS = 8

const { G1, G2, fields, longSignatures } = bls12_381
type G1Point = InstanceType<typeof G1.Point>
type G2Point = InstanceType<typeof G2.Point>
const P = fields.Fp.ORDER
const R = fields.Fr.ORDER

const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
const coordinate = (value: bigint, bytes: number): string => value.toString(16).padStart(2 * bytes, '0')

/** x 64 ‖ y 64. */
function keyHex(point: G1Point): string {
  const { x, y } = point.toAffine()
  return `0x${[x, y].map((value) => coordinate(value, 64)).join('')}`
}

/** x.c0 ‖ x.c1 ‖ y.c0 ‖ y.c1, 48 bytes each as in a signature or 64 as in EIP-2537. */
function g2Hex(point: G2Point, bytes: 48 | 64): string {
  const { x, y } = point.toAffine()
  return `0x${[x.c0, x.c1, y.c0, y.c1].map((value) => coordinate(value, bytes)).join('')}`
}

const signatureHex = (point: G2Point): string => g2Hex(point, 48)

const secrets = Array.from({ length: SIGNERS }, (_, i) => (BigInt(hex(sha256(`secret ${i}`))) % (R - 1n)) + 1n)
const messages = Array.from({ length: SIGNERS }, (_, i) => Buffer.concat([sha256(`left ${i}`), sha256(`right ${i}`)]))
const keys = secrets.map((secret) => G1.Point.BASE.multiply(secret))
const hashTo = (message: Uint8Array, dst: string): G2Point => G2.hashToCurve(message, { DST: dst })
const sign = (i: number, message: Uint8Array): G2Point => hashTo(message, DST).multiply(secrets[i]!)
const signatures = messages.map((message, i) => sign(i, message))
const sum = (points: readonly G2Point[]): G2Point => points.reduce((a, b) => a.add(b), G2.Point.ZERO)
const common = sha256('common')

for (const [i, message] of messages.entries()) {
  const point = longSignatures.hash(message, DST)
  if (!longSignatures.verify(signatures[i]!, point, keys[i]!)) throw new Error(`signature ${i}`)
}

/** On the curve, and all but surely out of the subgroup: the first x from `from` on that has a y. */
function g1OffSubgroup(from: bigint): G1Point {
  for (let x = from; ; x++) {
    const square = fields.Fp.add(fields.Fp.pow(x, 3n), 4n)
    const y = fields.Fp.pow(square, (P + 1n) / 4n)
    if (!fields.Fp.eql(fields.Fp.sqr(y), square)) continue
    const point = G1.Point.fromAffine({ x, y })
    if (!point.isTorsionFree()) return point
  }
}

function g2OffSubgroup(): G2Point {
  const { Fp2 } = fields
  for (let c0 = 1n; ; c0++) {
    const x = Fp2.fromBigTuple([c0, 1n])
    const square = Fp2.add(Fp2.pow(x, 3n), Fp2.fromBigTuple([4n, 4n]))
    try {
      const point = G2.Point.fromAffine({ x, y: Fp2.sqrt(square) })
      if (!point.isTorsionFree()) return point
    } catch {
      // No root: not an x of the curve.
    }
  }
}

const possession = (i: number): G2Point => hashTo(keys[i]!.toBytes(true), POSSESSION_DST).multiply(secrets[i]!)

/** A key that makes the forger's secret the secret of everybody's sum. */
const forgersSecret = (BigInt(hex(sha256('forger'))) % (R - 1n)) + 1n
const rogueKey = G1.Point.BASE.multiply(forgersSecret).subtract(keys.reduce((a, b) => a.add(b), G1.Point.ZERO))

const first = signatures[0]!.toAffine()
const plusModulus = [first.x.c0 + P, first.x.c1, first.y.c0, first.y.c1].map((value) => coordinate(value, 48)).join('')
const firstKey = keys[0]!.toAffine()
const offCurve = g2Hex(signatures[0]!, 48).replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))

const hashed = [
  Buffer.alloc(0),
  Buffer.from('abc'),
  sha256('32'),
  Buffer.alloc(48, 0xff),
  messages[0]!,
  Buffer.alloc(65, 1),
  Buffer.alloc(300, 7),
]
const vector = {
  hashes: [DST, POSSESSION_DST].flatMap((dst) =>
    hashed.map((message) => ({ dst: hex(Buffer.from(dst)), message: hex(message), point: g2Hex(hashTo(message, dst), 64) })),
  ),
  keys: keys.map(keyHex),
  compressedKeys: keys.map((key) => hex(key.toBytes(true))),
  possessions: keys.map((_, i) => signatureHex(possession(i))),
  messages: messages.map(hex),
  signatures: signatures.map(signatureHex),
  aggregate: signatureHex(sum(signatures)),
  /** Of messages 0, 0, 1 by signers 0, 0, 1, and of messages 2 and 3 by signer 2. */
  aggregateRepeated: signatureHex(sum([signatures[0]!, signatures[0]!, signatures[1]!])),
  aggregateOneSigner: signatureHex(sum([signatures[2]!, sign(2, messages[3]!)])),
  common: hex(common),
  commonAggregate: signatureHex(sum(keys.map((_, i) => sign(i, common)))),
  rogueKey: keyHex(rogueKey),
  rogueAggregate: signatureHex(hashTo(common, DST).multiply(forgersSecret)),
  roguePossession: signatureHex(hashTo(rogueKey.toBytes(true), POSSESSION_DST).multiply(forgersSecret)),
  negatedKey: keyHex(keys[0]!.negate()),
  /** A possession of the negated key's secret: only the sign bit of the compressed key tells it from the first key. */
  negatedKeyPossession: signatureHex(hashTo(keys[0]!.negate().toBytes(true), POSSESSION_DST).multiply(R - secrets[0]!)),
  badSignatures: {
    negated: signatureHex(signatures[0]!.negate()),
    infinity: hex(new Uint8Array(192)),
    offSubgroup: signatureHex(g2OffSubgroup()),
    shiftedOffSubgroup: signatureHex(signatures[0]!.add(g2OffSubgroup())),
    offCurve,
    plusModulus: `0x${plusModulus}`,
    allOnes: hex(new Uint8Array(192).fill(0xff)),
  },
  badKeys: {
    infinity: hex(new Uint8Array(128)),
    offSubgroup: keyHex(g1OffSubgroup(1n)),
    shiftedOffSubgroup: keyHex(keys[0]!.add(g1OffSubgroup(1n))),
    offCurve: keyHex(keys[0]!).replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
    plusModulus: `0x${coordinate(firstKey.x + P, 64)}${coordinate(firstKey.y, 64)}`,
    padding: keyHex(keys[0]!).replace(/^0x00/, '0x01'),
  },
}
writeFileSync(new URL('bls.json', import.meta.url), `${JSON.stringify(vector, null, 1)}\n`)
