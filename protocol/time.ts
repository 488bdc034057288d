import { INTERVAL_SECONDS, PERIOD_INTERVALS, PERIOD_SECONDS } from './limits.ts'

/** Interval that contains the second `seconds` (Unix). Rounds down. */
export const intervalOf = (seconds: number): number => Math.floor(seconds / INTERVAL_SECONDS)

/** Settlement period that contains interval `interval`. Rounds down. */
export const periodOfInterval = (interval: number): number => Math.floor(interval / PERIOD_INTERVALS)

/** Settlement period that contains the second `seconds` (Unix). Rounds down. */
export const periodOf = (seconds: number): number => Math.floor(seconds / PERIOD_SECONDS)

export const periodStartSeconds = (period: number): number => period * PERIOD_SECONDS
