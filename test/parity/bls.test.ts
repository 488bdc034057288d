import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import bls from '@chainsafe/bls'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { type Abi, decodeFunctionResult, encodeFunctionData, type Hex } from 'viem'
import { fromHex, toHex } from '../../l1/bytes.ts'
import { aggregateBls, parseBlsKey, parseBlsSignature, parseL1Signature, verifyBls } from '../../protocol/bls.ts'
import { verifyBlsAggregate } from '../../protocol/bls.ts'
import { verifyPossession } from '../../protocol/blsPossession.ts'
import { type Anvil, startAnvil } from '../support/anvil.ts'
import { blsEvseKey } from '../support/generators/blsKey.ts'
import { coordinate, eip2537Point, l1Point, outsideSubgroupG2, overModulus } from '../support/generators/blsPoints.ts'
import { Random } from '../support/generators/random.ts'
import { sharedData, skipWithout } from '../support/sharedData.ts'
import { compileContract } from '../support/solidity.ts'

// The Solidity libraries on a real L1 node against published vectors and against three libraries off it: a single difference would
// be a batch that an honest sequencer loses its bond for.

const RFC_9380 = 'vectors/rfc9380-BLS12381G2_XMD-SHA-256_SSWU_RO_.json'
const WYCHEPROOF_HASH = 'vectors/bls_hash_to_g2_test.json'
const WYCHEPROOF_VERIFY = 'vectors/bls_sig_g2_basic_verify_test.json'
const GAS_CAP = 16_777_216n
const { fields, G1, G2, longSignatures } = bls12_381
const { Fp, Fp2 } = fields

let anvil: Anvil
let harness: Hex
let abi: Abi

before(async () => {
  const compiled = compileContract('contracts/test/bls/BlsHarness.sol', 'BlsHarness')
  abi = compiled.abi
  anvil = await startAnvil()
  harness = await anvil.deploy({ initCode: compiled.initCode })
})
after(() => anvil?.stop())

async function ask<T>(functionName: string, args: unknown[]): Promise<T> {
  const data = encodeFunctionData({ abi, functionName, args })
  const result = await anvil.publicClient.call({ to: harness, data, gas: GAS_CAP })
  return decodeFunctionResult({ abi, functionName, data: result.data! }) as T
}

const read = (name: string): unknown => JSON.parse(readFileSync(sharedData(name), 'utf8'))
const padded = (value: bigint): string => `${'0'.repeat(32)}${Buffer.from(coordinate(value)).toString('hex')}`

/** c0 ‖ c1 ‖ … of 64 bytes each. */
function elements(...values: readonly bigint[]): Hex {
  return `0x${values.map(padded).join('')}`
}

test('RFC 9380: the field elements and the points of every vector', { skip: skipWithout(RFC_9380) }, async () => {
  const { dst, vectors } = read(RFC_9380) as {
    dst: string
    vectors: { msg: string; u: string[]; P: { x: string; y: string } }[]
  }
  assert.equal(vectors.length, 5)
  const split = (text: string): bigint[] => text.split(',').map(BigInt)
  for (const { msg, u, P } of vectors) {
    const args = [toHex(Buffer.from(msg)), toHex(Buffer.from(dst))]
    const found = await ask<readonly [Hex, Hex]>('toField', args)
    assert.deepEqual(found, [elements(...split(u[0]!)), elements(...split(u[1]!))])
    assert.equal(await ask<Hex>('hash', args), elements(...split(P.x), ...split(P.y)))
  }
})

test('Wycheproof: hash to G2', { skip: skipWithout(WYCHEPROOF_HASH) }, async () => {
  const { testGroups } = read(WYCHEPROOF_HASH) as {
    testGroups: { dst: string; tests: { msg: string; expected: string; result: string }[] }[]
  }
  let count = 0
  for (const { dst, tests } of testGroups) {
    for (const { msg, expected, result } of tests) {
      assert.equal(result, 'valid')
      const { x, y } = G2.Point.fromHex(expected).toAffine()
      const found = await ask<Hex>('hash', [`0x${msg}`, toHex(Buffer.from(dst))])
      assert.equal(found, elements(x.c0, x.c1, y.c0, y.c1))
      count++
    }
  }
  assert.ok(count > 30)
})

test('Wycheproof: every verdict on a signature', { skip: skipWithout(WYCHEPROOF_VERIFY) }, async () => {
  const { testGroups } = read(WYCHEPROOF_VERIFY) as {
    testGroups: {
      ciphersuite: string
      publicKey: { pk: string }
      tests: { tcId: number; comment: string; msg: string; sig: string; result: string }[]
    }[]
  }
  const counts = { valid: 0, invalid: 0, unreadable: 0 }
  for (const { ciphersuite, publicKey, tests } of testGroups) {
    for (const { tcId, comment, msg, sig, result } of tests) {
      const key = keyForL1(fromHex(`0x${publicKey.pk}`))
      const signature = signatureForL1(fromHex(`0x${sig}`))
      if (key === undefined || signature === undefined) {
        // L1 takes coordinates: bytes that stand for none never come to it.
        assert.equal(result, 'invalid', `test ${tcId}: ${comment}`)
        counts.unreadable++
        continue
      }
      const dst = toHex(Buffer.from(ciphersuite))
      const verdict = await ask<boolean>('verifyUnder', [dst, toHex(key), `0x${msg}`, toHex(signature)])
      assert.equal(verdict, result === 'valid', `test ${tcId}: ${comment}`)
      counts[verdict ? 'valid' : 'invalid']++
    }
  }
  assert.ok(counts.valid > 25 && counts.invalid > 15, JSON.stringify(counts))
  console.log(WYCHEPROOF_VERIFY, counts)
})

test('random signatures, good and spoilt: L1, blst, noble and @chainsafe/bls say the same', async () => {
  const random = new Random(0xb15)
  const counts = { good: 0, bad: 0 }
  for (let i = 0; i < 24; i++) {
    const key = blsEvseKey(random)
    const message = random.bytes(i % 3 === 0 ? 64 : random.int(0, 199))
    const zcash = key.sign(i % 4 === 1 ? random.bytes(64) : message)
    const l1 = aggregateBls([parseBlsSignature(zcash)!])
    const verdict = await ask<boolean>('verifyOne', [toHex(key.publicKey), toHex(message), toHex(l1)])
    const compressed = parseBlsSignature(zcash)!.toBytes(true)
    assert.equal(verdict, verifyBls(parseBlsKey(key.publicKey), message, parseL1Signature(l1)))
    assert.equal(verdict, bls.verify(key.point.toBytes(true), message, compressed))
    const dst = 'BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_'
    const theirs = longSignatures.Signature.fromBytes(compressed)
    assert.equal(verdict, longSignatures.verify(theirs, longSignatures.hash(message, dst), key.point.toBytes(true)))
    counts[verdict ? 'good' : 'bad']++
  }
  assert.ok(counts.good > 10 && counts.bad > 3, JSON.stringify(counts))
})

test('random aggregates: L1 and blst say the same', async () => {
  const random = new Random(7)
  const verdicts = new Set<boolean>()
  for (let i = 0; i < 8; i++) {
    const keys = Array.from({ length: random.int(1, 6) }, () => blsEvseKey(random))
    const messages = keys.map(() => random.bytes(64))
    const signatures = keys.map((key, k) => parseBlsSignature(key.sign(messages[k]!))!)
    if (i % 2 === 1) signatures[0] = parseBlsSignature(keys[0]!.sign(random.bytes(64)))!
    let aggregate = aggregateBls(signatures)
    if (i === 4) aggregate = new Uint8Array(outsideSubgroupG2(random))
    if (i === 6) aggregate = new Uint8Array(overModulus(aggregate, 2))
    const args = [keys.map((key) => toHex(key.publicKey)), messages.map(toHex), toHex(aggregate)]
    const verdict = await ask<boolean>('verifyAggregate', args)
    const points = keys.map((key) => parseBlsKey(key.publicKey))
    assert.equal(verdict, verifyBlsAggregate(points, messages, parseL1Signature(aggregate)))
    verdicts.add(verdict)
  }
  assert.equal(verdicts.size, 2)
})

test('possessions: L1 and this side say the same', async () => {
  const random = new Random(8)
  const keys = Array.from({ length: 4 }, () => blsEvseKey(random))
  for (const [i, key] of keys.entries()) {
    for (const possession of [key.possession(), keys[(i + 1) % keys.length]!.possession(), new Uint8Array(192)]) {
      const verdict = await ask<boolean>('verifyPossession', [toHex(key.publicKey), toHex(possession)])
      assert.equal(verdict, verifyPossession(key.publicKey, possession))
    }
    assert.ok(await ask<boolean>('verifyPossession', [toHex(key.publicKey), toHex(key.possession())]))
  }
})

/** EIP-2537's 128 bytes of a compressed key whose flags and x stand for a point of the curve, in the subgroup or not. */
function keyForL1(compressed: Uint8Array): Uint8Array | undefined {
  const parsed = flagsAndRest(compressed, 48)
  if (parsed === undefined) return undefined
  if (parsed.infinity) return new Uint8Array(128)
  const [x] = parsed.coordinates
  const square = Fp.add(Fp.pow(x!, 3n), 4n)
  const root = Fp.pow(square, (Fp.ORDER + 1n) / 4n)
  if (!Fp.eql(Fp.sqr(root), square)) return undefined
  const isLarger = root > (Fp.ORDER - 1n) / 2n
  return new Uint8Array(eip2537Point(x!, isLarger === parsed.larger ? root : Fp.neg(root)))
}

/** The same of a signature, 192 bytes in L1's order. */
function signatureForL1(compressed: Uint8Array): Uint8Array | undefined {
  const parsed = flagsAndRest(compressed, 96)
  if (parsed === undefined) return undefined
  if (parsed.infinity) return new Uint8Array(192)
  const [c1, c0] = parsed.coordinates
  const x = Fp2.create({ c0: c0!, c1: c1! })
  const square = Fp2.add(Fp2.pow(x, 3n), Fp2.create({ c0: 4n, c1: 4n }))
  let y: typeof x
  try {
    y = Fp2.sqrt(square)
  } catch {
    return undefined
  }
  const half = (Fp.ORDER - 1n) / 2n
  const isLarger = y.c1 === 0n ? y.c0 > half : y.c1 > half
  return new Uint8Array(l1Point(x, isLarger === parsed.larger ? y : Fp2.neg(y)))
}

/** ZCash: compressed, infinity, larger y; then coordinates below the modulus. Undefined for any other bytes. */
function flagsAndRest(
  bytes: Uint8Array,
  length: number,
): { infinity: boolean; larger: boolean; coordinates: bigint[] } | undefined {
  if (bytes.length !== length || (bytes[0]! & 0x80) === 0) return undefined
  const infinity = (bytes[0]! & 0x40) !== 0
  const larger = (bytes[0]! & 0x20) !== 0
  const rest = Uint8Array.from(bytes)
  rest[0]! &= 0x1f
  const coordinates: bigint[] = []
  for (let at = 0; at < length; at += 48) coordinates.push(BigInt(toHex(rest.subarray(at, at + 48))))
  if (coordinates.some((value) => value >= Fp.ORDER)) return undefined
  if (infinity && (larger || coordinates.some((value) => value !== 0n))) return undefined
  return { infinity, larger, coordinates }
}

test('the readers of this test know a subgroup from a curve', () => {
  const key = G1.Point.BASE.multiply(5n)
  const { x, y } = key.toAffine()
  assert.deepEqual(keyForL1(key.toBytes(true)), new Uint8Array(eip2537Point(x, y)))
  const point = G2.Point.BASE.multiply(7n)
  const affine = point.toAffine()
  assert.deepEqual(signatureForL1(point.toBytes(true)), new Uint8Array(l1Point(affine.x, affine.y)))
})
