import type { KeyObject } from 'node:crypto'
import { RECORD_MESSAGE_BYTES } from '../../protocol/domain.ts'
import { P256_SIGNATURE_BYTES } from '../../protocol/limits.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'

const EVSE_KEY_BYTES = P256_LAYOUT.keyBytes

/** key x ‖ y 64 | message 64 | signature r ‖ s 64 */
export const SLAB_ROW_BYTES = EVSE_KEY_BYTES + RECORD_MESSAGE_BYTES + P256_SIGNATURE_BYTES

/** Parsed keys kept a worker, ~1 KB each: a lane's EVSEs come again in every batch. */
const MAX_CACHED_KEYS = 65_536

const keys = new Map<string, KeyObject | undefined>()

/** Verifies rows; answers one byte a row, 1 for a signature that verifies. Runs in a worker thread. */
export function verifySlab(slab: Uint8Array): Uint8Array {
  const rows = slab.length / SLAB_ROW_BYTES
  if (!Number.isInteger(rows)) throw new RangeError(`a slab holds rows of ${SLAB_ROW_BYTES} bytes`)
  const verdicts = new Uint8Array(rows)
  for (let row = 0; row < rows; row++) {
    const at = row * SLAB_ROW_BYTES
    const message = slab.subarray(at + EVSE_KEY_BYTES, at + EVSE_KEY_BYTES + RECORD_MESSAGE_BYTES)
    const signature = slab.subarray(at + EVSE_KEY_BYTES + RECORD_MESSAGE_BYTES, at + SLAB_ROW_BYTES)
    if (verifyP256(keyOf(slab.subarray(at, at + EVSE_KEY_BYTES)), message, signature)) verdicts[row] = 1
  }
  return verdicts
}

function keyOf(bytes: Uint8Array): KeyObject | undefined {
  const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  if (keys.has(name)) return keys.get(name)
  const key = parseP256Key(bytes)
  if (keys.size >= MAX_CACHED_KEYS) keys.clear()
  keys.set(name, key)
  return key
}
