import type { KeyObject } from 'node:crypto'
import { readU32 } from '../../protocol/bigEndian.ts'
import { MAX_SLOTS } from '../../protocol/limits.ts'
import { parseP256Key } from '../../protocol/p256.ts'

interface CachedKey {
  readonly bytes: Uint8Array
  readonly key: KeyObject | undefined
}

/**
 * Parsed keys by (lane, slot). The key's bytes are compared at every use, so a slot never answers for another key. Full, it
 * drops the key parsed longest ago: parsing costs about as much as one verification, so a cleverer order would not pay.
 */
export class KeyCache {
  readonly #keys = new Map<number, CachedKey>()
  readonly #maxKeys: number

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#keys.size
  }

  get(domain: number, slot: number, rows: Uint8Array, at: number): KeyObject | undefined {
    const name = domain * MAX_SLOTS + slot
    const held = this.#keys.get(name)
    if (held !== undefined && sameKey(held.bytes, rows, at)) return held.key
    const bytes = new Uint8Array(64)
    bytes.set(rows.subarray(at, at + 64))
    const key = parseP256Key(bytes)
    if (held === undefined && this.#keys.size >= this.#maxKeys) {
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest)
        break
      }
    }
    this.#keys.set(name, { bytes, key })
    return key
  }
}

function sameKey(bytes: Uint8Array, rows: Uint8Array, at: number): boolean {
  for (let i = 0; i < 64; i += 4) if (readU32(bytes, i) !== readU32(rows, at + i)) return false
  return true
}
