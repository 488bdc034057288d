import { MAX_REQUEST_RECORDS } from '../../protocol/wire.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'

// Limits of what EVSEs and gateway tell each other over MQTT, each with the reason for its number.

/** Of one telemetry message: all fields with long numbers take 260. */
export const MAX_TELEMETRY_BYTES = 1_024
/** Of status, position, command and command answer: a reason is 200 characters, which may be escaped to 1 200. */
export const MAX_CONTROL_BYTES = 4_096
/** Of one records message: as many rows as a request to a sequencer takes, in hex with quotes and commas. */
export const MAX_RECORDS_BYTES = MAX_REQUEST_RECORDS * (2 * SIGNED_RECORD_BYTES + 5) + 64
/** Answers in one receipts message: 64 with the longest paths (1.8 KB each) stay under 256 KB, which small devices can hold. */
export const MAX_RECEIPT_ANSWERS = 64
/** Of one answer as JSON: row 178, receipt with 2^16 records in its micro-batch 1 900, names and numbers 300. */
const ANSWER_BYTES = 4_096
export const MAX_RECEIPTS_BYTES = MAX_RECEIPT_ANSWERS * ANSWER_BYTES
/** Rows named in one error. */
export const MAX_ERROR_ROWS = 16
/** Of the text of an error or a reason. */
export const MAX_TEXT_CHARS = 200

/** Messages with QoS above 0 that the broker has not acknowledged yet; a broker that asks for fewer gets fewer. */
export const MAX_IN_FLIGHT = 64
/** Unsent bytes of the connection above which telemetry is dropped: what waits behind half a second of it is stale anyway. */
export const MAX_TELEMETRY_BACKLOG_BYTES = 65_536
/** Records messages of one agent under way; more submits wait their turn. */
export const MAX_SUBMITS = 16
/** Commands whose ids an agent remembers, to answer a repeat without obeying twice. */
export const MAX_KNOWN_COMMANDS = 64

/** First wait before another try to reach the broker; it doubles up to the maximum, give or take a half. */
export const FIRST_RECONNECT_MS = 500
export const MAX_RECONNECT_MS = 30_000
/** A connection that held so long was a good one: the next wait is the first again. */
export const GOOD_CONNECTION_MS = 10_000
/** Connections in a row that the broker let in and that did not hold so long: fewer are a broker that restarts. */
export const SHORT_CONNECTIONS = 3
/** A rival at the broker is told for so long: of two that take turns each is cut again within the longest wait of the other. */
export const RIVAL_SHOWN_MS = 120_000

if (RIVAL_SHOWN_MS < 2 * 1.5 * MAX_RECONNECT_MS) throw new RangeError('a rival is forgotten before it comes back')
