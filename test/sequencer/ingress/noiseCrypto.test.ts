import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pureJsCrypto } from '@libp2p/noise'
import { noiseCrypto } from '../../../sequencer/ingress/noiseCrypto.ts'
import { Random } from '../../support/generators/random.ts'

const nonce = (n: number): Uint8Array => new Uint8Array(12).with(4, n)

test('what one side encrypts another library decrypts, and the other way round, at every size', () => {
  const random = new Random(1)
  const keys = [random.bytes(32), random.bytes(32)] as const
  for (const [i, size] of [0, 1, 495, 496, 511, 512, 1_200, 65_519].entries()) {
    const plaintext = random.bytes(size)
    const ad = random.bytes(i % 2 === 0 ? 0 : 32)
    for (const k of keys) {
      const here = noiseCrypto.chaCha20Poly1305Encrypt(plaintext, nonce(i), ad, k).subarray()
      const there = pureJsCrypto.chaCha20Poly1305Encrypt(plaintext, nonce(i), ad, k).subarray()
      assert.deepEqual(new Uint8Array(here), new Uint8Array(there), `${size} bytes`)
      const opened = noiseCrypto.chaCha20Poly1305Decrypt(here, nonce(i), ad, k).subarray()
      assert.deepEqual(new Uint8Array(opened), new Uint8Array(plaintext), `${size} bytes`)
    }
  }
})

test('a changed byte, another key, nonce or additional data is refused', () => {
  const random = new Random(2)
  const [k, ad] = [random.bytes(32), random.bytes(8)]
  for (const size of [64, 4_000]) {
    const sealed = new Uint8Array(noiseCrypto.chaCha20Poly1305Encrypt(random.bytes(size), nonce(1), ad, k).subarray())
    const open = (ciphertext: Uint8Array, n: number, data: Uint8Array, key: Uint8Array) => () =>
      noiseCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce(n), data, key)
    for (const at of [0, size - 1, size, size + 15]) {
      assert.throws(open(sealed.with(at, sealed[at]! ^ 1), 1, ad, k), `byte ${at} of ${size}`)
    }
    assert.throws(open(sealed, 2, ad, k))
    assert.throws(open(sealed, 1, ad.with(0, ad[0]! ^ 1), k))
    assert.throws(open(sealed, 1, ad, k.with(0, k[0]! ^ 1)))
    assert.doesNotThrow(open(sealed, 1, ad, k))
  }
})
