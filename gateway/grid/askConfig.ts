import { z } from 'zod'

// Keys that every source of the grid that is asked over HTTP has.

export const staleSecondsSchema = (fallback: number) =>
  z
    .number()
    .int()
    .min(10)
    .max(604_800)
    .default(fallback)
    .describe('Without an answer for so long the source counts as down, seconds.')

export const timeoutMsSchema = z
  .number()
  .int()
  .min(100)
  .max(120_000)
  .default(30_000)
  .describe('Of one request, milliseconds.')
