// Bounds of what a gateway tells, and why they are what they are.

/** Records listed in one event; sums are of all. With 250 bytes each they leave room for the rest of a body of 512 KB. At 15 s they are 6 hours. */
export const MAX_LISTED_RECORDS = 1_500
/** Pieces of energy that were put aside, listed in one event: each is something that a person looks at. */
export const MAX_LISTED_WITHHELD = 200
/** Answers that go to disk together. */
export const MAX_ANSWER_GROUP = 256
/** After a write that failed, ms: the disk is full or gone, and the outbox says so. */
export const STORE_RETRY_MS = 1_000
