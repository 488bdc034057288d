import { readU32 } from '../../protocol/bigEndian.ts'
import { MAX_SLOTS } from '../../protocol/limits.ts'

interface CachedKey<K> {
  readonly bytes: Uint8Array
  readonly key: K | undefined
}

export interface KeyKind<K> {
  /** A multiple of 4. */
  readonly bytes: number
  /** Undefined for what is no key: then no signature verifies. */
  parse(bytes: Uint8Array): K | undefined
}

/**
 * Parsed keys by (lane, slot). The key's bytes are compared at every use, so a slot never answers for another key. Full, it
 * drops the key parsed longest ago: parsing costs about as much as one verification, so a cleverer order would not pay.
 */
export class KeyCache<K> {
  readonly #keys = new Map<number, CachedKey<K>>()
  readonly #maxKeys: number
  readonly #kind: KeyKind<K>

  constructor(kind: KeyKind<K>, maxKeys: number) {
    this.#kind = kind
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#keys.size
  }

  get(domain: number, slot: number, rows: Uint8Array, at: number): K | undefined {
    const name = domain * MAX_SLOTS + slot
    const held = this.#keys.get(name)
    if (held !== undefined && sameKey(held.bytes, rows, at)) return held.key
    const bytes = new Uint8Array(this.#kind.bytes)
    bytes.set(rows.subarray(at, at + bytes.length))
    const key = this.#kind.parse(bytes)
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
  for (let i = 0; i < bytes.length; i += 4) if (readU32(bytes, i) !== readU32(rows, at + i)) return false
  return true
}
