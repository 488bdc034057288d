import { createSecretKey, type KeyObject } from 'node:crypto'
import type { ICryptoInterface } from '@libp2p/noise'
import { asCrypto, defaultCrypto, nodeCrypto } from '@libp2p/noise/crypto'

/** From here on OpenSSL is faster than the library's WebAssembly. */
const LEAST_BYTES = 512

/**
 * libp2p's own functions for Noise, but OpenSSL gets a connection's keys parsed once: of raw bytes Node finds out by an exception, stack
 * and all, that they are no key object, which costs more than 16 KB take to decrypt.
 */
export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,

  chaCha20Poly1305Encrypt(plaintext, nonce, ad, k) {
    return plaintext.byteLength < LEAST_BYTES
      ? asCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, k)
      : nodeCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, parsed(k))
  },

  chaCha20Poly1305Decrypt(ciphertext, nonce, ad, k, dst) {
    return ciphertext.byteLength < LEAST_BYTES
      ? asCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, k, dst)
      : nodeCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, parsed(k), dst)
  },
}

/** By the bytes' identity: a connection's two keys never change, and live as long as it does. */
const keys = new WeakMap<Uint8Array, KeyObject>()

/** The library hands its key to Node as it is, and declares it as the bytes that it usually is. */
function parsed(k: Uint8Array): Uint8Array {
  let key = keys.get(k)
  if (key === undefined) {
    key = createSecretKey(k)
    keys.set(k, key)
  }
  return key as unknown as Uint8Array
}
