/** How far our wall clock is behind a source: source − ours, milliseconds, and what that may be off by. */
export interface TimeReading {
  readonly offsetMs: number
  readonly errorMs: number
}

/** @throws when it cannot be read; gives up at the signal. */
export type TimeSource = (signal: AbortSignal) => Promise<TimeReading>

/** The host keeps its clock by itself (chrony, gpsd, PTP) and is trusted in that. Jumps are noticed all the same. */
export const systemSource: TimeSource = async () => ({ offsetMs: 0, errorMs: 0 })

/** Another clock of the same process, such as an L1 node's on a devnet. `read`: milliseconds since the Unix epoch. */
export function functionSource(read: () => Promise<number> | number, now: () => number): TimeSource {
  return async () => {
    const beforeMs = now()
    const theirsMs = await read()
    const afterMs = now()
    return { offsetMs: theirsMs - (beforeMs + afterMs) / 2, errorMs: (afterMs - beforeMs) / 2 }
  }
}

/**
 * What most sources agree on: the readings whose error bounds have a moment in common (Marzullo's algorithm, RFC 5905 §11.2.1), if they are more than
 * half; of those the most precise. Undefined: they contradict each other, and nobody knows who is right.
 */
export function agreeingReading(readings: readonly TimeReading[]): TimeReading | undefined {
  let best: readonly TimeReading[] = []
  for (const { offsetMs, errorMs } of readings) {
    const edgeMs = offsetMs - errorMs
    const around = readings.filter((other) => Math.abs(other.offsetMs - edgeMs) <= other.errorMs + 1e-6)
    if (around.length > best.length) best = around
  }
  if (best.length * 2 <= readings.length) return undefined
  return best.reduce((a, b) => (b.errorMs < a.errorMs ? b : a))
}
