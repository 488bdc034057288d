import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import bls from '@chainsafe/bls'
import { PointFormat } from '@chainsafe/bls/types'
import {
  aggregateBls,
  blsKeyBytes,
  l1FromZcash,
  parseBlsSignature,
  parseL1Signature,
  parseZcashBlsKey,
  verifyBlsAggregate,
} from '../../protocol/bls.ts'
import { provePossession, verifyPossession } from '../../protocol/blsPossession.ts'
import { blsEvseKey } from '../support/generators/blsKey.ts'
import { outsideSubgroupG1, outsideSubgroupG2 } from '../support/generators/blsPoints.ts'
import { Random } from '../support/generators/random.ts'

const random = new Random(0x909)
const [alice, bob] = [blsEvseKey(random), blsEvseKey(random)]

test('who holds the secret proves it, for that key alone', () => {
  const possession = alice.possession()
  assert.equal(possession.length, 192)
  assert.ok(verifyPossession(alice.publicKey, possession))
  assert.ok(!verifyPossession(bob.publicKey, possession))
  assert.ok(!verifyPossession(alice.publicKey, provePossession(bob.secret)))
})

test('a signature of a record is no possession: the domains are apart', () => {
  const signature = alice.sign(alice.point.toBytes(true))
  assert.ok(!verifyPossession(alice.publicKey, l1FromZcash(signature)))
})

test('hostile possessions and keys are refused', () => {
  const possession = alice.possession()
  assert.ok(!verifyPossession(alice.publicKey, new Uint8Array(192)), 'infinity')
  assert.ok(!verifyPossession(alice.publicKey, new Uint8Array(192).fill(0xff)))
  assert.ok(!verifyPossession(alice.publicKey, outsideSubgroupG2(random)))
  assert.ok(!verifyPossession(alice.publicKey, possession.subarray(1)))
  assert.ok(!verifyPossession(new Uint8Array(128), possession), 'key at infinity')
  assert.ok(!verifyPossession(outsideSubgroupG1(random), possession))
})

test('a rogue key forges an aggregate, and cannot prove its possession', () => {
  const { Point } = bls12_381.G1
  const pointOf = (key: typeof alice): InstanceType<typeof Point> => Point.fromHex(key.point.toHex(true).slice(2))
  // bob − alice: whoever knows bob's secret signs for both of them with it.
  const rogue = blsKeyBytes(parseZcashBlsKey(pointOf(bob).subtract(pointOf(alice)).toBytes(true))!)
  const message = random.bytes(64)
  const forged = parseL1Signature(aggregateBls([parseBlsSignature(bob.sign(message))!]))
  const keys = [alice.publicKey, rogue].map((bytes) => parseZcashBlsKey(zcashKey(bytes)))
  assert.ok(verifyBlsAggregate(keys, [message, message], forged))
  assert.ok(!verifyPossession(rogue, provePossession(bob.secret)))
})

test('a portable library reads the keys and signatures of ours', () => {
  const message = random.bytes(64)
  const secret = bls.SecretKey.fromBytes(alice.secret)
  const publicKey = bls.PublicKey.fromBytes(zcashKey(alice.publicKey))
  const signature = bls.Signature.fromBytes(alice.sign(message))
  assert.ok(signature.verify(publicKey, message))
  assert.ok(!signature.verify(publicKey, random.bytes(64)))
  assert.deepEqual(
    Buffer.from(secret.sign(message).toBytes(PointFormat.uncompressed)),
    Buffer.from(alice.sign(message)),
  )
})

function zcashKey(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(16, 64), bytes.subarray(80)])
}
