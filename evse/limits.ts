import { MAX_REQUEST_RECORDS } from '../protocol/wire.ts'

// Limits of everything that waits, is kept or is tried again at the edge, each with the reason for its number.

/** Of one key: outbox and metering keys have under 80 characters. */
export const MAX_KEY_CHARS = 256
/** Of one value: a signed meter value with its certificate takes tens of KB. */
export const MAX_VALUE_BYTES = 1_048_576
/** Of one synchronous write: a group of this size takes milliseconds, and what comes meanwhile goes into the next. */
export const MAX_GROUP_BYTES = 4_194_304
/** What waits to be written. More than any source may send unanswered; beyond it the disk has stopped. */
export const MAX_PENDING_WRITE_BYTES = 67_108_864
/** LevelDB's memory before it sorts a table: the whole working set of a charger. */
export const STORE_WRITE_BUFFER_BYTES = 4_194_304

/**
 * Of a waiting row on disk: key 52, checksum 16, times and code 13, row 88, and what LevelDB adds. A year of quarter-hours (35 040) takes 6.3 MB.
 */
export const WAITING_ROW_BYTES = 180
/**
 * Of an answered row at the most: key, checksum, times, row, result, and a receipt whose path is as long as a micro-batch can make it
 * (`receiptTree.ts`). Most take a third of it.
 */
export const ANSWERED_ROW_MAX_BYTES = 1_100
/** Default of an EVSE's outbox: a year of quarter-hours with the longest receipts is 39 MB, unanswered 6.3 MB. */
export const EVSE_OUTBOX_BYTES = 67_108_864
/** Rows read from disk at a time, of one EVSE: as many as a request takes. */
export const MAX_PAGE_ROWS = MAX_REQUEST_RECORDS

/** Requests of one lane under way at once: enough to fill a line of 100 ms with full requests, and half of a sequencer's share for one host. */
export const MAX_LANE_REQUESTS = 4
/** Addresses of sequencers of one lane: one that serves, one that takes over, and more only while they change. */
export const MAX_TARGETS = 8
/** Problems that a status answer lists: a lost network makes thousands alike. */
export const MAX_PROBLEMS = 50
/** Operators whose receipts are believed at a time: the one on L1, and the next while it changes. */
export const MAX_OPERATORS = 4
/** Contracts in an EVSE's configuration: the cars of a depot. */
export const MAX_CONTRACTS = 10_000

/** One line of the firmware: a transaction event with a few signed meter values. */
export const MAX_LINE_BYTES = 65_536
/** Lines of one connection that wait for the disk; then it is not read on. */
export const MAX_LINES_UNDER_WAY = 256
/** What a connection has not read of our answers; then it is closed. */
export const MAX_LINE_BACKLOG_BYTES = 1_048_576
/** The firmware, and a technician's tool or two. */
export const MAX_LINE_CONNECTIONS = 4
