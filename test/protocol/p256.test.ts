import assert from 'node:assert/strict'
import { test } from 'node:test'
import { derFromRaw, parseP256Key, rawFromDer, verifyP256 } from '../../protocol/p256.ts'
import { evseKey, P256_ORDER, signP256, withOtherS, wordBytes } from '../support/generators/evseKey.ts'
import { Random } from '../support/generators/random.ts'
import { fc } from '../support/property.ts'
import { wycheproofGroups, wycheproofMissing } from '../support/wycheproof.ts'

const RAW_SET = 'ecdsa_secp256r1_sha256_p1363_test.json'
const DER_SET = 'ecdsa_secp256r1_sha256_test.json'

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

test('Wycheproof, raw signatures', { skip: wycheproofGroups(RAW_SET) === undefined && wycheproofMissing }, () => {
  const verdicts = { valid: 0, invalid: 0 }
  for (const group of wycheproofGroups(RAW_SET)!) {
    const key = parseP256Key(bytes(group.publicKey.uncompressed).subarray(1))
    for (const { tcId, comment, msg, sig, result } of group.tests) {
      const verdict = verifyP256(key, bytes(msg), bytes(sig)) ? 'valid' : 'invalid'
      verdicts[verdict]++
      if (result !== 'acceptable') assert.equal(verdict, result, `test ${tcId}: ${comment}`)
    }
  }
  assert.ok(verdicts.valid > 100 && verdicts.invalid > 50)
})

test('Wycheproof, DER signatures', { skip: wycheproofGroups(DER_SET) === undefined && wycheproofMissing }, () => {
  const refused = { encoding: 0, signature: 0 }
  for (const group of wycheproofGroups(DER_SET)!) {
    const key = parseP256Key(bytes(group.publicKey.uncompressed).subarray(1))
    for (const { tcId, comment, msg, sig, result } of group.tests) {
      const raw = rawFromDer(bytes(sig))
      const verdict = raw !== undefined && verifyP256(key, bytes(msg), raw)
      if (result !== 'acceptable') assert.equal(verdict, result === 'valid', `test ${tcId}: ${comment}`)
      if (raw === undefined) refused.encoding++
      else if (!verdict) refused.signature++
      // What is accepted has one name only.
      if (raw !== undefined) assert.deepEqual(Buffer.from(derFromRaw(raw)), Buffer.from(bytes(sig)))
    }
  }
  assert.ok(refused.encoding > 200 && refused.signature > 50, JSON.stringify(refused))
})

test('DER and raw are each other’s inverse for every pair of positive integers', () => {
  const word = fc
    .tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 0, max: 31 }))
    .map(([value, zeros]) => value.fill(0, 0, zeros))
    .filter((value) => value.some((byte) => byte !== 0))
  fc.assert(
    fc.property(word, word, (r, s) => {
      const raw = new Uint8Array([...r, ...s])
      assert.deepEqual(rawFromDer(derFromRaw(raw)), raw)
    }),
  )
})

test('no byte of a DER signature can change its length or tags unnoticed', () => {
  const der = derFromRaw(new Uint8Array(64).fill(0x91))
  const lastTag = 4 + der[3]!
  for (const at of [0, 1, 2, 3, lastTag, lastTag + 1]) {
    for (let value = 0; value < 256; value++) {
      if (value !== der[at]) assert.equal(rawFromDer(der.with(at, value)), undefined, `byte ${at} = ${value}`)
    }
  }
  for (let length = 0; length < der.length; length++) assert.equal(rawFromDer(der.subarray(0, length)), undefined)
  assert.equal(rawFromDer(new Uint8Array([...der, 0])), undefined)
  assert.equal(rawFromDer(derFromRaw(new Uint8Array(64))), undefined)
})

test('takes low and high s, and nothing else for the message', () => {
  const random = new Random(1)
  const key = evseKey(random)
  const parsed = parseP256Key(key.publicKey)
  const message = random.bytes(64)
  const signature = signP256(key, message)
  assert.ok(verifyP256(parsed, message, signature))
  assert.ok(verifyP256(parsed, message, withOtherS(signature)))
  for (const at of [0, 31, 32, 63]) {
    assert.equal(verifyP256(parsed, message, signature.with(at, signature[at]! ^ 1)), false)
  }
  assert.equal(verifyP256(parsed, message.with(9, message[9]! ^ 1), signature), false)
  assert.equal(verifyP256(parseP256Key(evseKey(random).publicKey), message, signature), false)
  assert.equal(verifyP256(parsed, message, signature.subarray(0, 63)), false)
  assert.equal(verifyP256(parsed, message, new Uint8Array([...signature, 0])), false)
})

test('r and s out of range are refused, not thrown', () => {
  const random = new Random(2)
  const key = evseKey(random)
  const message = random.bytes(64)
  const signature = signP256(key, message)
  for (const value of [0n, P256_ORDER, P256_ORDER + 1n, 2n ** 256n - 1n]) {
    for (const at of [0, 32]) {
      const forged = new Uint8Array(signature)
      forged.set(wordBytes(value), at)
      assert.equal(verifyP256(parseP256Key(key.publicKey), message, forged), false)
    }
  }
})

test('a key off the curve verifies nothing', () => {
  const { publicKey } = evseKey(new Random(3))
  assert.ok(parseP256Key(publicKey) !== undefined)
  for (const key of [publicKey.with(63, publicKey[63]! ^ 1), new Uint8Array(64), new Uint8Array(64).fill(0xff)]) {
    assert.equal(parseP256Key(key), undefined)
    assert.equal(verifyP256(parseP256Key(key), new Uint8Array(64), new Uint8Array(64).fill(1)), false)
  }
  // A view into a larger buffer is parsed from where it begins.
  const larger = new Uint8Array([7, ...publicKey, 7])
  assert.ok(parseP256Key(larger.subarray(1, 65)) !== undefined)
})
