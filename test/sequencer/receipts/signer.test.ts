import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { privateKeyToAccount } from 'viem/accounts'
import { toHex } from '../../../l1/bytes.ts'
import { keySigner } from '../../../sequencer/receipts/signer.ts'

test('signatures are byte for byte those of another implementation, and recover to the account', async () => {
  const parities = new Set<number>()
  for (let i = 0; i < 200; i++) {
    const key = toHex(randomBytes(32))
    // Digests near zero and above the order of the curve among them.
    const digest = i < 2 ? new Uint8Array(32).fill(i * 255) : randomBytes(32)
    const signature = await (await keySigner(key)).sign(digest)
    assert.equal(toHex(signature), await privateKeyToAccount(key).sign({ hash: toHex(digest) }))
    parities.add(signature[64]!)
  }
  assert.deepEqual([...parities].sort(), [27, 28])
})

test('a key that is none is refused', async () => {
  await assert.rejects(keySigner(`0x${'00'.repeat(32)}`))
  await assert.rejects(keySigner(`0x${'ff'.repeat(32)}`))
})
