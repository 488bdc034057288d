import {
  BLOB_CHUNKS,
  BLS_CHUNK_RECORDS,
  BLS_EVSE_DESCRIPTOR_BYTES,
  BLS_SIGNATURE_BYTES,
  P256_CHUNK_RECORDS,
  P256_EVSE_DESCRIPTOR_BYTES,
  P256_SIGNATURE_BYTES,
  RECORD_BYTES,
} from './limits.ts'

export const Scheme = { P256: 0, BLS: 1 } as const
export type Scheme = (typeof Scheme)[keyof typeof Scheme]

/** State roots have 31 bytes, and a chunk begins with one. */
const PRE_ROOT_BYTES = 31
/** ratedW u24 | lat i32 | lon i32 | radiusM u16 | deposit u64, after the key. */
const EVSE_TAIL_BYTES = 21

/** All in which lanes of the two schemes differ in bytes (docs/protocol.md §7, §15.1, §15.3, §15.5). */
export interface SchemeLayout {
  readonly scheme: Scheme
  readonly name: string
  /** P-256: x ‖ y. BLS: EIP-2537's x 64 ‖ y 64. */
  readonly keyBytes: number
  readonly evseDescriptorBytes: number
  /** In a row: what one EVSE signed. */
  readonly signatureBytes: number
  /** record 24 ‖ signature, as it travels to a sequencer and as its journal keeps it. */
  readonly rowBytes: number
  readonly chunkRecords: number
  /** What a chunk's body holds before its records: the aggregate of a BLS chunk. */
  readonly headBytes: number
  /** From one record of a chunk's body to the next. */
  readonly recordStride: number
  /** What the records of a full chunk take of its body, head included. */
  readonly bodyBytes: number
  /** preRoot ‖ body: the stride of chunks in calldata. */
  readonly chunkBytes: number
  readonly blobRecords: number
}

export const P256_LAYOUT: SchemeLayout = layoutOf({
  scheme: Scheme.P256,
  name: 'P-256',
  evseDescriptorBytes: P256_EVSE_DESCRIPTOR_BYTES,
  signatureBytes: P256_SIGNATURE_BYTES,
  chunkRecords: P256_CHUNK_RECORDS,
  headBytes: 0,
  recordStride: RECORD_BYTES + P256_SIGNATURE_BYTES,
})

export const BLS_LAYOUT: SchemeLayout = layoutOf({
  scheme: Scheme.BLS,
  name: 'BLS12-381',
  evseDescriptorBytes: BLS_EVSE_DESCRIPTOR_BYTES,
  signatureBytes: BLS_SIGNATURE_BYTES,
  chunkRecords: BLS_CHUNK_RECORDS,
  headBytes: BLS_SIGNATURE_BYTES,
  recordStride: RECORD_BYTES,
})

const layouts: readonly SchemeLayout[] = [P256_LAYOUT, BLS_LAYOUT]

/** @throws RangeError for a scheme that version 1 does not know. */
export function schemeLayout(scheme: number): SchemeLayout {
  const layout = layouts[scheme]
  if (layout === undefined) throw new RangeError(`unknown signature scheme ${scheme}`)
  return layout
}

/** By the length of a public key; undefined for a length that no scheme has. */
export function layoutByKeyBytes(bytes: number): SchemeLayout | undefined {
  return layouts.find(({ keyBytes }) => keyBytes === bytes)
}

/** By the length of one EVSE descriptor; undefined for a length that no scheme has. */
export function layoutByDescriptorBytes(bytes: number): SchemeLayout | undefined {
  return layouts.find(({ evseDescriptorBytes }) => evseDescriptorBytes === bytes)
}

function layoutOf(
  given: Pick<
    SchemeLayout,
    'scheme' | 'name' | 'evseDescriptorBytes' | 'signatureBytes' | 'chunkRecords' | 'headBytes' | 'recordStride'
  >,
): SchemeLayout {
  const { evseDescriptorBytes, signatureBytes, chunkRecords, headBytes, recordStride } = given
  const bodyBytes = headBytes + chunkRecords * recordStride
  return Object.freeze({
    ...given,
    keyBytes: evseDescriptorBytes - EVSE_TAIL_BYTES,
    rowBytes: RECORD_BYTES + signatureBytes,
    bodyBytes,
    chunkBytes: PRE_ROOT_BYTES + bodyBytes,
    blobRecords: BLOB_CHUNKS * chunkRecords,
  })
}
