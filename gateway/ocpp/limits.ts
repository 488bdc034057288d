// Bounds of the OCPP source, with the reason for each number. What an operator may want to change is in its configuration.

/** Calls of one station under way. OCPP allows one; a few more forgive a station that gave up waiting and sent again. */
export const MAX_CALLS_UNDER_WAY = 8
/** Commands to one station that wait for the wire: the guard has one under way, an operator a few. */
export const MAX_COMMANDS_WAITING = 32
/** Answers that a station does not read. Four of the largest it may be sent. */
export const MAX_UNREAD_BYTES = 1_048_576
/** Passwords being hashed at once: as many as Node's pool has threads. */
export const MAX_HASHING = 4
/** Stations that wait for that: all of a large fleet come back together after a restart. Under a minute of hashing. */
export const MAX_HASHING_WAITING = 4_096
/** Hosts and stations whose failures are counted. The oldest is forgotten first. */
export const MAX_COUNTED = 16_384
/** Transactions remembered of one station, for repeats and for events that do not name their EVSE: months of a public one. */
export const MAX_TRANSACTIONS = 256
/** Messages of a transaction that came before its EVSE was known: authorised, plugged in, and a few more. */
export const MAX_EARLY_EVENTS = 16
/** And they are kept as they came, in one value of the store. */
export const MAX_EARLY_CHARS = 262_144
/** OCPP 1.6 has no sequence numbers. Contents of so many messages are remembered to know a repeat; stations repeat the last. */
export const MAX_REMEMBERED_CONTENTS = 16
/** Different problems shown in the status: beyond that an operator reads the log. */
export const MAX_PROBLEMS = 256
/** What happened once is shown so long. */
export const PROBLEM_SHOWN_MS = 3_600_000
/** Live messages over which the least difference of clocks is taken: a few minutes of samples. */
export const CLOCK_WINDOW = 16
/** TLS, upgrade and password check of a station on a slow line. */
export const HANDSHAKE_TIMEOUT_MS = 15_000
/** For calls under way when the gateway stops. */
export const CLOSE_TIMEOUT_MS = 2_000
/** Before this no station of OCPP 2 was made; whoever says so has no clock. 2015-01-01. */
export const EARLIEST_PLAUSIBLE_MS = 1_420_070_400_000
/** A sample cannot be later than its arrival. Above the clock limit, so that the flag comes first. */
export const FUTURE_SLACK_MS = 60_000
