import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import {
  aggregateBls,
  type BlsKey,
  type BlsSignature,
  blsKeyBytes,
  blsSignatureBytes,
  judgeBlsBatch,
  l1FromZcash,
  parseBlsKey,
  parseBlsSignature,
  parseL1Signature,
  parseZcashBlsKey,
  verifyBls,
  verifyBlsAggregate,
  zcashFromL1,
} from '../../protocol/bls.ts'
import { type BlsEvseKey, blsEvseKey } from '../support/generators/blsKey.ts'
import {
  BLS_MODULUS,
  coordinate,
  eip2537Point,
  offCurveG2,
  outsideSubgroupG1,
  outsideSubgroupG2,
  overModulus,
  withTorsionG2,
} from '../support/generators/blsPoints.ts'
import { Random } from '../support/generators/random.ts'
import { sharedData, skipWithout } from '../support/sharedData.ts'

const { longSignatures, G1, G2 } = bls12_381
const CIPHERSUITE = 'BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_'
const random = new Random(0xb15)
const keys = Array.from({ length: 5 }, () => blsEvseKey(random))
const messages = keys.map(() => random.bytes(64))

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const publicOf = (key: BlsEvseKey): BlsKey => parseBlsKey(key.publicKey)!
const signBls = (key: BlsEvseKey, message: Uint8Array): BlsSignature => parseBlsSignature(key.sign(message))!

test('signs in the ciphersuite of the protocol, as another library does', () => {
  for (const [i, key] of keys.entries()) {
    const message = messages[i]!
    const theirs = longSignatures.sign(longSignatures.hash(message, CIPHERSUITE), key.secret)
    assert.equal(hex(signBls(key, message).toBytes(true)), theirs.toHex(true))
    assert.ok(longSignatures.verify(theirs, longSignatures.hash(message, CIPHERSUITE), key.point.toBytes()))
    const { x, y } = longSignatures.getPublicKey(key.secret).toAffine()
    assert.equal(hex(key.publicKey), hex(eip2537Point(x, y)))
  }
})

test('a key reads back in every form, and is refused when it is not valid', () => {
  const { publicKey } = keys[0]!
  const key = parseBlsKey(publicKey)!
  assert.equal(hex(blsKeyBytes(key)), hex(publicKey))
  for (const compressed of [true, false]) {
    assert.equal(hex(blsKeyBytes(parseZcashBlsKey(key.toBytes(compressed))!)), hex(publicKey))
  }
  const { x, y } = G1.Point.BASE.toAffine()
  assert.ok(parseBlsKey(eip2537Point(x, y)))
  const bad = {
    infinity: new Uint8Array(128),
    'off the curve': eip2537Point(x, y + 1n),
    'outside the subgroup': outsideSubgroupG1(random),
    'x above the modulus': eip2537Point(x, y).fill(0xff, 16, 64),
    'y = y + modulus': eip2537Point(x, y + BLS_MODULUS),
    'padding of x': Uint8Array.from(publicKey, (byte, i) => (i === 15 ? 1 : byte)),
    'padding of y': Uint8Array.from(publicKey, (byte, i) => (i === 64 ? 1 : byte)),
    'infinity by flag': Uint8Array.from({ length: 128 }, (_, i) => (i === 16 ? 0x40 : 0)),
    'sort flag': Uint8Array.from(publicKey, (byte, i) => (i === 16 ? byte | 0x20 : byte)),
    'too short': publicKey.subarray(0, 127),
    'too long': new Uint8Array([...publicKey, 0]),
  }
  for (const [what, bytes] of Object.entries(bad)) assert.equal(parseBlsKey(bytes), undefined, what)
})

test('a signature goes from the serialisation of libraries to the order of L1 and back', () => {
  const signature = signBls(keys[0]!, messages[0]!)
  const zcash = blsSignatureBytes(signature)
  const l1 = l1FromZcash(zcash)
  const { x, y } = G2.Point.fromHex(signature.toHex(true).slice(2)).toAffine()
  assert.equal(hex(l1), hex(Buffer.concat([x.c0, x.c1, y.c0, y.c1].map(coordinate))))
  assert.equal(hex(zcashFromL1(l1)!), hex(zcash))
  assert.equal(hex(parseL1Signature(l1)!.toBytes(false)), hex(zcash))
  for (const bytes of [zcash, signature.toBytes(true)]) {
    assert.equal(hex(blsSignatureBytes(parseBlsSignature(bytes)!)), hex(zcash))
  }
  assert.equal(hex(l1FromZcash(zcashFromL1(new Uint8Array(192))!)), hex(new Uint8Array(192)))
})

test('no bytes of L1 pass for a point by reading as flags', () => {
  const infinity = new Uint8Array(192)
  infinity[48] = 0x40
  const l1 = l1FromZcash(blsSignatureBytes(signBls(keys[0]!, messages[0]!)))
  for (const flag of [0x80, 0x40, 0x20]) {
    assert.equal(zcashFromL1(Uint8Array.from(l1, (byte, i) => (i === 48 ? byte | flag : byte))), undefined)
  }
  assert.equal(zcashFromL1(infinity), undefined)
  assert.equal(zcashFromL1(new Uint8Array(192).fill(0xff)), undefined)
  assert.equal(zcashFromL1(l1.subarray(1)), undefined)
})

test('what is no signature is refused, in either form', () => {
  const good = l1FromZcash(blsSignatureBytes(signBls(keys[0]!, messages[0]!)))
  assert.ok(parseL1Signature(good))
  const bad = {
    'off the curve': offCurveG2(random),
    'outside the subgroup': outsideSubgroupG2(random),
    'with torsion': withTorsionG2(random, good),
    'all ones': new Uint8Array(192).fill(0xff),
    'one bit off': Uint8Array.from(good, (byte, i) => (i === 100 ? byte ^ 1 : byte)),
    ...Object.fromEntries([0, 1, 2, 3].map((i) => [`coordinate ${i} plus the modulus`, overModulus(good, i)])),
  }
  for (const [what, bytes] of Object.entries(bad)) {
    assert.equal(parseL1Signature(bytes), undefined, what)
    const zcash = zcashFromL1(bytes)
    if (zcash !== undefined) assert.equal(parseBlsSignature(zcash), undefined, what)
  }
  // Infinity is a point; but nobody signs with it.
  assert.ok(parseL1Signature(new Uint8Array(192)))
  assert.equal(parseBlsSignature(zcashFromL1(new Uint8Array(192))!), undefined)
  for (const length of [0, 95, 97, 191, 193]) assert.equal(parseBlsSignature(new Uint8Array(length)), undefined)
})

test('an aggregate verifies over exactly what it is the sum of', () => {
  const signatures = keys.map((key, i) => signBls(key, messages[i]!))
  const sum = parseL1Signature(aggregateBls(signatures))
  const publicKeys = keys.map(publicOf)
  assert.ok(verifyBlsAggregate(publicKeys, messages, sum))
  assert.ok(verifyBlsAggregate([...publicKeys].reverse(), [...messages].reverse(), sum), 'order is no matter')
  assert.ok(!verifyBlsAggregate(publicKeys.slice(1), messages.slice(1), sum), 'one too many in the sum')
  assert.ok(!verifyBlsAggregate([...publicKeys, publicKeys[0]!], [...messages, messages[0]!], sum), 'one missing')
  assert.ok(!verifyBlsAggregate(publicKeys, [...messages].reverse(), sum), 'messages of others')
  assert.ok(!verifyBlsAggregate([undefined, ...publicKeys.slice(1)], messages, sum), 'no key')
  assert.ok(!verifyBlsAggregate(publicKeys, messages, undefined), 'no aggregate')
  assert.ok(!verifyBlsAggregate(publicKeys, messages, parseL1Signature(new Uint8Array(192))), 'infinity')
  assert.throws(() => verifyBlsAggregate(publicKeys, messages.slice(1), sum), RangeError)
  assert.throws(() => verifyBlsAggregate([], [], sum), RangeError)
})

test('repetitions count, and each must be in the sum', () => {
  const signature = signBls(keys[0]!, messages[0]!)
  const [key, message] = [publicOf(keys[0]!), messages[0]!]
  const twice = parseL1Signature(aggregateBls([signature, signature]))
  assert.ok(verifyBlsAggregate([key, key], [message, message], twice))
  assert.ok(!verifyBlsAggregate([key], [message], twice))
  assert.ok(verifyBlsAggregate([key], [message], parseL1Signature(aggregateBls([signature]))))
  assert.equal(hex(aggregateBls([])), hex(new Uint8Array(192)))
})

test('a batch is judged one by one, wherever the bad ones lie', () => {
  const good = keys.map((key, i) => ({
    key: publicOf(key),
    message: messages[i]!,
    signature: signBls(key, messages[i]!),
  }))
  assert.deepEqual([...judgeBlsBatch([])], [])
  assert.deepEqual([...judgeBlsBatch(good)], [1, 1, 1, 1, 1])
  for (let bad = 0; bad < 2 ** good.length; bad++) {
    const isBad = (i: number): boolean => (bad >> i) % 2 === 1
    const spoilt = good.map((one, i) => {
      if (!isBad(i)) return one
      // A swap of two would cancel out in a sum that is not blinded.
      if (i < 3) return { ...one, message: messages[(i + 1) % 5]! }
      return i === 3 ? { ...one, signature: undefined } : { ...one, key: undefined }
    })
    assert.deepEqual(
      [...judgeBlsBatch(spoilt)],
      good.map((_, i) => (isBad(i) ? 0 : 1)),
    )
  }
})

test('two bad signatures that cancel each other out are both found', () => {
  const [a, b] = [signBls(keys[0]!, messages[0]!), signBls(keys[1]!, messages[1]!)].map((one) =>
    G2.Point.fromHex(one.toHex(true).slice(2)),
  )
  const shift = G2.Point.BASE
  const shifted = [a!.add(shift), b!.subtract(shift)].map((point) => parseBlsSignature(point.toBytes(true))!)
  const [k, l] = [publicOf(keys[0]!), publicOf(keys[1]!)]
  assert.ok(verifyBlsAggregate([k, l], messages.slice(0, 2), parseL1Signature(aggregateBls(shifted))))
  const judged = judgeBlsBatch([
    { key: k, message: messages[0]!, signature: shifted[0] },
    { key: l, message: messages[1]!, signature: shifted[1] },
  ])
  assert.deepEqual([...judged], [0, 0])
  assert.ok(!verifyBls(k, messages[0]!, shifted[0]))
})

const SIGNATURES = 'vectors/bls_sig_g2_basic_verify_test.json'
const RFC_9380 = 'vectors/rfc9380-BLS12381G2_XMD-SHA-256_SSWU_RO_.json'
const HASHES = 'vectors/bls_hash_to_g2_test.json'

interface SignatureVectors {
  readonly testGroups: readonly {
    readonly ciphersuite: string
    readonly publicKey: { readonly pk: string }
    readonly tests: readonly {
      readonly tcId: number
      readonly comment: string
      readonly msg: string
      readonly sig: string
      readonly result: 'valid' | 'invalid'
    }[]
  }[]
}

function vectors<T>(name: string): T {
  assert.ok(existsSync(sharedData(name)))
  return JSON.parse(readFileSync(sharedData(name), 'utf8')) as T
}

test('Wycheproof: our parsing takes what is valid and nothing else', { skip: skipWithout(SIGNATURES) }, () => {
  const counts = { valid: 0, invalid: 0, unparsed: 0 }
  for (const { ciphersuite, publicKey, tests } of vectors<SignatureVectors>(SIGNATURES).testGroups) {
    for (const { tcId, comment, msg, sig, result } of tests) {
      const key = parseZcashBlsKey(fromHex(publicKey.pk))
      const signature = parseBlsSignature(fromHex(sig))
      // The vectors are of the ciphersuite without possessions: blst parses, and the other library hashes and pairs.
      const isValid =
        key !== undefined &&
        signature !== undefined &&
        longSignatures.verify(
          signature.toBytes(true),
          longSignatures.hash(fromHex(msg), ciphersuite),
          blsKeyBytes(key).length === 128 ? key.toBytes(true) : new Uint8Array(),
        )
      assert.equal(isValid ? 'valid' : 'invalid', result, `test ${tcId}: ${comment}`)
      if (key === undefined || signature === undefined) counts.unparsed++
      else counts[result]++
    }
  }
  assert.ok(counts.valid >= 25 && counts.invalid >= 5 && counts.unparsed >= 25, JSON.stringify(counts))
})

test('RFC 9380: the library that the ciphersuite is compared with hashes as published', {
  skip: skipWithout(RFC_9380, HASHES),
}, () => {
  interface Rfc {
    readonly dst: string
    readonly vectors: readonly { readonly msg: string; readonly P: { readonly x: string; readonly y: string } }[]
  }
  const rfc = vectors<Rfc>(RFC_9380)
  assert.ok(rfc.vectors.length >= 5)
  for (const { msg, P } of rfc.vectors) {
    const { x, y } = longSignatures.hash(new TextEncoder().encode(msg), rfc.dst).toAffine()
    const text = (c: bigint): string => `0x${c.toString(16).padStart(96, '0')}`
    assert.equal(`${text(x.c0)},${text(x.c1)}`, P.x)
    assert.equal(`${text(y.c0)},${text(y.c1)}`, P.y)
  }
  interface Hashes {
    readonly testGroups: readonly {
      readonly dst: string
      readonly tests: readonly { readonly msg: string; readonly expected: string; readonly result: string }[]
    }[]
  }
  for (const { dst, tests } of vectors<Hashes>(HASHES).testGroups) {
    for (const { msg, expected, result } of tests) {
      const same = longSignatures.hash(fromHex(msg), dst).toHex(true) === expected
      assert.equal(same, result === 'valid')
    }
  }
})
