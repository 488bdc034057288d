import { randomInt } from 'node:crypto'

const BY_DAY = 1

/**
 * What the randomness of this process starts from: TEST_SEED of the environment; without one a new seed by night, and the same one by day, so that a change
 * is refused for what it did and not for what was drawn.
 */
export const seed = seedOf(process.env.TEST_SEED)

/** How to draw the same once more. */
export const replay = (file: string): string => `TEST_SEED=${seed} node --test ${file}`

function seedOf(given: string | undefined): number {
  if (given === undefined) return process.env.BACKFEED_NIGHTLY === '1' ? randomInt(2 ** 31) : BY_DAY
  const value = Number(given)
  if (!Number.isInteger(value)) throw new Error(`TEST_SEED is not an integer: ${given}`)
  return value
}
