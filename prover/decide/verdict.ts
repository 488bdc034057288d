/** What re-execution says of a batch. `chunk` is the first whose root is wrong: the ones before it are right. */
export type Verdict =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong'; readonly chunk: number; readonly computed: Uint8Array; readonly claimed: Uint8Array }

/** Only a root can be false (docs/protocol.md §8). Both are 31 bytes. */
export function compareRoots(chunk: number, computed: Uint8Array, claimed: Uint8Array): Verdict {
  if (computed.length !== claimed.length) throw new RangeError('roots have 31 bytes')
  for (let i = 0; i < computed.length; i++) {
    if (computed[i] !== claimed[i]) return { kind: 'wrong', chunk, computed, claimed }
  }
  return { kind: 'right' }
}
