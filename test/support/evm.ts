import type { Hex } from 'viem'

// Contracts small enough to be written as opcodes, for tests of code that must not depend on ours.

/** Init code that deploys `runtime` (under 256 bytes). */
export function initCode(runtime: Hex): Hex {
  const size = (runtime.length - 2) / 2
  // PUSH1 size DUP1 PUSH1 9 PUSH0 CODECOPY PUSH0 RETURN
  return `0x60${size.toString(16).padStart(2, '0')}8060095f395ff3${runtime.slice(2)}`
}

/** Reverts with the custom error `Refused()` when the first calldata byte is not zero; otherwise does nothing. */
export const REFUSER: Hex = '0x5f355f1a600857005b638ac5ff0b60e01b5f5260045ffd'

/** Returns BLOBHASH(0). */
export const FIRST_BLOB_HASH: Hex = '0x5f495f5260205ff3'
