/**
 * Vehicle readings on disk, 150 bytes each with its key. A charger that is never idle makes 2 900 quarter-hours in `READING_KEPT_SECONDS`, a gateway of
 * hundreds of chargers comes near this; beyond it the oldest go.
 */
export const MAX_VEHICLE_READINGS = 200_000

/** A record may be disputed within its batch's 7-day window and answered 3 days later; before that it may wait a while to be posted. */
export const READING_KEPT_SECONDS = 30 * 24 * 3600

/** Removed at most with one new reading: a long-closed charger catches up a little each time. */
export const READINGS_DROPPED_AT_ONCE = 64

/** Readings that wait for the disk. A car gives one a record. */
export const MAX_PENDING_READINGS = 1_024
