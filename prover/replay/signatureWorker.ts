import { parseBlsKey, parseL1Signature, verifyBlsAggregate } from '../../protocol/bls.ts'
import { RECORD_MESSAGE_BYTES } from '../../protocol/domain.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { BLS_LAYOUT, P256_LAYOUT } from '../../protocol/scheme.ts'
import { AGGREGATE_HEAD_BYTES, AGGREGATE_ROW_BYTES, SLAB_ROW_BYTES } from './slabs.ts'

/** Parsed keys kept a worker and scheme, up to ~1 KB each: a lane's EVSEs come again in every batch. */
const MAX_CACHED_KEYS = 65_536
const P256_KEY_BYTES = P256_LAYOUT.keyBytes
const BLS_KEY_BYTES = BLS_LAYOUT.keyBytes

const p256Key = cached(parseP256Key)
const blsKey = cached(parseBlsKey)

/** Verifies rows; answers one byte a row, 1 for a signature that verifies. Runs in a worker thread. */
export function verifySlab(slab: Uint8Array): Uint8Array {
  const rows = slab.length / SLAB_ROW_BYTES
  if (!Number.isInteger(rows)) throw new RangeError(`a slab holds rows of ${SLAB_ROW_BYTES} bytes`)
  const verdicts = new Uint8Array(rows)
  for (let row = 0; row < rows; row++) {
    const at = row * SLAB_ROW_BYTES
    const message = slab.subarray(at + P256_KEY_BYTES, at + P256_KEY_BYTES + RECORD_MESSAGE_BYTES)
    const signature = slab.subarray(at + P256_KEY_BYTES + RECORD_MESSAGE_BYTES, at + SLAB_ROW_BYTES)
    if (verifyP256(p256Key(slab.subarray(at, at + P256_KEY_BYTES)), message, signature)) verdicts[row] = 1
  }
  return verdicts
}

/** Verifies one chunk's aggregate over its rows. Runs in a worker thread. */
export function verifyAggregateSlab(slab: Uint8Array): boolean {
  const rows = (slab.length - AGGREGATE_HEAD_BYTES) / AGGREGATE_ROW_BYTES
  if (!Number.isInteger(rows) || rows < 1) {
    throw new RangeError(`a slab holds an aggregate and rows of ${AGGREGATE_ROW_BYTES} bytes`)
  }
  const keys = []
  const messages: Uint8Array[] = []
  for (let at = AGGREGATE_HEAD_BYTES; at < slab.length; at += AGGREGATE_ROW_BYTES) {
    keys.push(blsKey(slab.subarray(at, at + BLS_KEY_BYTES)))
    messages.push(slab.subarray(at + BLS_KEY_BYTES, at + AGGREGATE_ROW_BYTES))
  }
  return verifyBlsAggregate(keys, messages, parseL1Signature(slab.subarray(0, AGGREGATE_HEAD_BYTES)))
}

function cached<Key>(parse: (bytes: Uint8Array) => Key | undefined): (bytes: Uint8Array) => Key | undefined {
  const keys = new Map<string, Key | undefined>()
  return (bytes) => {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    if (keys.has(name)) return keys.get(name)
    const key = parse(bytes)
    if (keys.size >= MAX_CACHED_KEYS) keys.clear()
    keys.set(name, key)
    return key
  }
}
