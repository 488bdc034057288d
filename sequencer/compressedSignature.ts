// A BLS signature comes into a row as libraries serialise it (docs/protocol.md §15.5). A row has room for the uncompressed form; a
// compressed one takes its first 96 bytes, zeros behind, until the verifier has parsed it: taking the root that is missing costs as much as
// the subgroup's check, and no request may hold the thread that answers for so long.

/** ZCash's flags in the first byte. */
export const COMPRESSED_FLAG = 0x80
export const INFINITY_FLAG = 0x40
export const FLAG_BITS = 0xe0
export const COMPRESSED_SIGNATURE_BYTES = 96
