import { BLS_LAYOUT, P256_LAYOUT, type SchemeLayout } from '../protocol/scheme.ts'
import { MAX_REQUEST_FRAME_BYTES, MAX_REQUEST_RECORDS } from '../protocol/wire.ts'

// Bounds of the sequencer, with the reason for each number. What an operator may want to change is a default that configuration
// overrides; the rest is fixed.

// ── ingress ──

/** Records admitted and not yet answered. A second or more of work at 60 000 a second, 5.8 MB of rows, of BLS ones 14. */
export const INGRESS_MAX_RECORDS = 65_536
/** No peer holds more, even on an idle machine: eight full requests under way hide any round trip. */
export const INGRESS_MAX_PEER_RECORDS = 8_192
/** Told to whoever is turned away. HTTP cannot say less than a second. */
export const INGRESS_RETRY_AFTER_MS = 1_000

export const httpMaxBinaryBytes = ({ rowBytes }: SchemeLayout): number => MAX_REQUEST_RECORDS * rowBytes
/** 384 bytes a record beside the signature's digits: the object form takes about 170 without blanks. */
export const httpMaxJsonBytes = ({ signatureBytes }: SchemeLayout): number =>
  MAX_REQUEST_RECORDS * (384 + 2 * signatureBytes)
/** An idle connection costs about 10 KB. */
export const HTTP_MAX_CONNECTIONS = 2_048
/** One host cannot take all connections; a gateway needs a few dozen. */
export const HTTP_MAX_HOST_CONNECTIONS = 256
export const HTTP_MAX_HEADER_BYTES = 8_192
/** Headers are one packet; who needs longer is holding the connection on purpose. */
export const HTTP_HEADERS_TIMEOUT_MS = 5_000
/** The largest body (786 KB) over 0.7 Mbit/s. */
export const HTTP_REQUEST_TIMEOUT_MS = 10_000
/** Longer than the usual proxy's 60 s, so that the proxy closes first and never sends into a closing connection. */
export const HTTP_KEEP_ALIVE_MS = 65_000
/** A durable answer takes milliseconds; past this the sender is better off asking again (it will be told DUPLICATE). */
export const HTTP_ANSWER_TIMEOUT_MS = 30_000
/** In-flight requests get this long when the server stops. */
export const HTTP_CLOSE_TIMEOUT_MS = 5_000

/** Worst case of memory: each stream holds one window in yamux, one in the frame reader: 0.6 MB. */
export const LIBP2P_MAX_CONNECTIONS = 512
export const LIBP2P_MAX_HOST_CONNECTIONS = 32
export const LIBP2P_MAX_PENDING_CONNECTIONS = 64
/** libp2p's own default of 5 locks out a gateway's EVSEs that come back together after a power cut. */
export const LIBP2P_CONNECTIONS_PER_SECOND = 32
/** One in use, one while a peer replaces a broken one. */
export const LIBP2P_MAX_STREAMS = 2
/** yamux's initial window, kept fixed: at 50 ms round trip still 58 000 records a second on one stream. */
export const LIBP2P_WINDOW_BYTES = 262_144
/** Answers that a peer does not read. Above the first the stream is read no further, above the second it is aborted. */
export const LIBP2P_WRITE_HIGH_WATER_BYTES = 65_536
export const LIBP2P_MAX_WRITE_BUFFER_BYTES = 4_194_304
/** Requests of one stream that wait for their answers; beyond it the stream is not read. */
export const LIBP2P_MAX_STREAM_REQUESTS = 64
/** From the first byte of a frame to its last. */
export const LIBP2P_FRAME_TIMEOUT_MS = 10_000
/** A stream that ends on a bad frame gets this long to take the answer. */
export const LIBP2P_CLOSE_TIMEOUT_MS = 5_000

assertLimit(INGRESS_MAX_PEER_RECORDS >= MAX_REQUEST_RECORDS, 'a peer must be able to send one full request')
assertLimit(INGRESS_MAX_RECORDS >= 2 * INGRESS_MAX_PEER_RECORDS, 'one peer must leave room for others')
for (const layout of [P256_LAYOUT, BLS_LAYOUT]) {
  assertLimit(
    httpMaxJsonBytes(layout) / layout.rowBytes <= INGRESS_MAX_PEER_RECORDS,
    'a full JSON request must be admissible',
  )
}
assertLimit(LIBP2P_WINDOW_BYTES > MAX_REQUEST_FRAME_BYTES, 'a frame must fit into the window')
assertLimit(
  LIBP2P_WRITE_HIGH_WATER_BYTES * 2 < LIBP2P_MAX_WRITE_BUFFER_BYTES,
  'reading must stop well before the abort',
)
assertLimit(HTTP_HEADERS_TIMEOUT_MS <= HTTP_REQUEST_TIMEOUT_MS, 'headers are part of the request')

// ── query API ──

/** Batches in one page; a header with its hashes is about 1 KB of JSON. */
export const API_MAX_PAGE = 256
export const API_DEFAULT_PAGE = 32

// ── ──

function assertLimit(holds: boolean, why: string): void {
  if (!holds) throw new Error(`sequencer/limits.ts contradicts itself: ${why}`)
}

// ── webhooks ──

/** Events of batches that wait for one receiver. The journal and L1 hold the others: with more, its cursor stands still. */
export const MAX_QUEUED_BATCH_EVENTS = 64
