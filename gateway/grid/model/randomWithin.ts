import { createHash } from 'node:crypto'

/**
 * Whole seconds between 0 and `bound`, both included; a negative bound gives negative ones. From a seed instead of from chance: the same at
 * every look and after a restart, and another for every device and event.
 */
export function randomWithin(bound: number, seed: string): number {
  if (bound === 0) return 0
  const digest = createHash('sha256').update(seed).digest()
  return Math.sign(bound) * (digest.readUIntBE(0, 6) % (Math.abs(bound) + 1))
}
