// Bounds of the gateway's MQTT side, and why they are what they are.

/**
 * Publishes that wait for the broker: answers and commands for as many EVSEs as one gateway serves.
 */
export const MAX_WAITING_PUBLISHES = 4_096
/** Answers that the broker does not have yet: 36 MB with the longest receipts. Beyond it they are dropped, as an EVSE without one asks again. */
export const MAX_WAITING_ANSWERS = 16_384
/** How long an answer waits for others to the same EVSE, milliseconds: a batch from the sequencer answers many rows at once. */
export const ANSWER_LINGER_MS = 5
/** Commands without an answer: two for each EVSE of the largest gateway. */
export const MAX_PENDING_COMMANDS = 20_000
/** Errors sent to one EVSE: so many at once, and one more each second. More would answer a flood with a flood. */
export const ERROR_BURST = 8
export const ERROR_EVERY_MS = 1_000
/** Names that error buckets are kept of, unknown ones included. */
export const MAX_ERROR_BUCKETS = 20_000
/** Seconds that the broker keeps records for a gateway that is away: a month, as EVSEs can be. */
export const RECORDS_SESSION_SECONDS = 2_592_000
/** How often and for how long a full outbox or a failing disk is tried again before the message is left with the broker. Below the keep-alive. */
export const PUT_ATTEMPTS = 5
export const FIRST_PUT_RETRY_MS = 100
export const MAX_PUT_RETRY_MS = 1_000
/** Signatures checked before others get their turn: 32 take 4 ms. */
export const SIGNATURES_A_SLICE = 32

/** Clock comparison (docs/mqtt.md): the smallest difference of the last one to two spans counts. Clocks drift 3 ms a minute at 50 ppm. */
export const CLOCK_SPAN_MS = 60_000
/** Beyond that an EVSE's clock is said to be off. */
export const CLOCK_TOLERANCE_MS = 50
/** A measurement that much older than the one before is a clock that was set back, not a message out of order. */
export const CLOCK_STEP_MS = 1_000
