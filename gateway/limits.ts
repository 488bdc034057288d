// Bounds of the gateway's queues and caches, and why they are what they are. A source's own are in its folder's part of this file.

/** EVSEs of one gateway process: ten times what one is measured with (docs/performance.md); more are shared out among processes. */
export const MAX_EVSES = 10_000
/** Contracts that a gateway knows the tokens of: cars move between the chargers of a lane, so there are more of them. */
export const MAX_CONTRACTS = 100_000
/** Lanes of one gateway: each is followed on L1 by a view of its own. */
export const MAX_GATEWAY_LANES = 64
/** Problems that a status answer lists of one source: a fleet that lost its network has thousands, all alike. */
export const MAX_LISTED_PROBLEMS = 100
/** Entries of put-aside energy in one answer: an operator reads them, and asks by EVSE when there are more. */
export const MAX_LISTED_WITHHELD = 1_000
