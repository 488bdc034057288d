import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { bytesToHex, concat } from 'viem'
import { parseP256Key, rawFromDer, verifyP256 } from '../../protocol/p256.ts'
import { type Anvil, startAnvil } from '../support/anvil.ts'
import { wycheproofGroups, wycheproofMissing } from '../support/wycheproof.ts'

// EIP-7951 on a real L1 node and OpenSSL in this process judge every signature alike: a single difference would be a batch
// that an honest sequencer loses its bond for.

const P256VERIFY = '0x0000000000000000000000000000000000000100'
const SETS = [
  { name: 'ecdsa_secp256r1_sha256_p1363_test.json', raw: (sig: Uint8Array) => (sig.length === 64 ? sig : undefined) },
  { name: 'ecdsa_secp256r1_sha256_test.json', raw: rawFromDer },
]

let anvil: Anvil

before(async () => {
  anvil = await startAnvil()
})
after(() => anvil.stop())

for (const { name, raw } of SETS) {
  test(`L1 and OpenSSL agree: ${name}`, {
    skip: wycheproofGroups(name) === undefined && wycheproofMissing,
  }, async () => {
    const counts = { valid: 0, invalid: 0 }
    for (const group of wycheproofGroups(name)!) {
      const publicKey = Buffer.from(group.publicKey.uncompressed, 'hex').subarray(1)
      for (const { tcId, comment, msg, sig, result } of group.tests) {
        const message = Buffer.from(msg, 'hex')
        const signature = raw(Buffer.from(sig, 'hex'))
        if (signature === undefined) {
          assert.notEqual(result, 'valid', `test ${tcId}: ${comment}`)
          continue
        }
        const here = verifyP256(parseP256Key(publicKey), message, signature)
        const there = await verifyOnL1(createHash('sha256').update(message).digest(), signature, publicKey)
        assert.equal(here, there, `test ${tcId}: ${comment}`)
        if (result !== 'acceptable') assert.equal(there, result === 'valid', `test ${tcId}: ${comment}`)
        counts[there ? 'valid' : 'invalid']++
      }
    }
    assert.ok(counts.valid > 100 && counts.invalid > 50, JSON.stringify(counts))
    console.log(name, counts)
  })
}

async function verifyOnL1(digest: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): Promise<boolean> {
  const data = bytesToHex(concat([digest, signature, publicKey]))
  const result = await anvil.rpc<string>('eth_call', [{ to: P256VERIFY, data }, 'latest'])
  assert.ok(result === '0x' || result === `0x${'1'.padStart(64, '0')}`, `P256VERIFY answered ${result}`)
  return result !== '0x'
}
