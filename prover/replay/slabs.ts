import { RECORD_MESSAGE_BYTES } from '../../protocol/domain.ts'
import { BLS_LAYOUT, P256_LAYOUT } from '../../protocol/scheme.ts'

// What goes to the workers: flat bytes, since objects cost more to hand over than they take to verify.
//
//   P-256   rows of key x ‖ y 64 | message 64 | signature r ‖ s 64, of any chunks
//   BLS     one chunk: aggregate 192, in L1's order | rows of key x ‖ y 128 | message 64

export const SLAB_ROW_BYTES = P256_LAYOUT.keyBytes + RECORD_MESSAGE_BYTES + P256_LAYOUT.signatureBytes
export const AGGREGATE_HEAD_BYTES = BLS_LAYOUT.headBytes
export const AGGREGATE_ROW_BYTES = BLS_LAYOUT.keyBytes + RECORD_MESSAGE_BYTES
