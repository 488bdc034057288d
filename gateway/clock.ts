import type { Fleet } from './fleet/fleet.ts'

/** What time it is to everything in the gateway that compares with L1's time or with devices' clocks. */
export interface GatewayClock {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  /** Steady, milliseconds. */
  readonly monotonicMs: () => number
  /** Whether what is measured now may be signed. */
  readonly isTrusted: () => boolean
}

export function gatewayClock(source: 'system' | 'l1', fleet: () => Pick<Fleet, 'head'> | undefined): GatewayClock {
  const monotonicMs = (): number => performance.now()
  if (source === 'system') return { now: () => Date.now(), monotonicMs, isTrusted: () => true }
  // The block's own time and nothing added to it: the sequencer of such a devnet goes by the same.
  const timestamp = (): number | undefined => fleet()?.head?.timestamp
  return {
    now: () => {
      const seconds = timestamp()
      return seconds === undefined ? Date.now() : seconds * 1_000
    },
    monotonicMs,
    isTrusted: () => timestamp() !== undefined,
  }
}
