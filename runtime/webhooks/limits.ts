// Bounds of webhooks, and why they are what they are.

/** Receivers of one process: each has a queue of its own on disk, a clearing house and a back office need two. */
export const MAX_WEBHOOKS = 8
/** Of a body. A receiver's own limit is often 1 MB; a store's value, which holds it once more escaped, is one at most. */
export const MAX_BODY_BYTES = 524_288
/** Requests to one receiver under way at once, each of another subject; one while it does not answer. */
export const MAX_IN_FLIGHT = 4
/** The new one, the old one, and one for a mistake in between. */
export const MAX_SECRETS = 3
/** A secret of 64 bytes in base64 has 94. */
export const MAX_SECRET_FILE_BYTES = 4_096
/** A receiver that asks for more than a day is asked daily: a wrong Retry-After must not end deliveries. */
export const MAX_RETRY_AFTER_MS = 86_400_000
/** Of an answer's body, which says nothing: read so far for the connection's sake, then it is cut. */
export const MAX_ANSWER_BYTES = 65_536
/** Subjects that wait after a refusal and are listed in the status. */
export const MAX_LISTED_REFUSALS = 20
