import type { LaneRules } from '../protocol/laneRules.ts'
import type { ForcedEntry } from './forced.ts'

/** What the stages see of L1: only what blocks held final say. */
export interface RulesView {
  readonly rules: LaneRules
  /** Time of the newest block held final, seconds. The rules hold everything up to it. */
  readonly finalTime: number
  readonly finalBlock: bigint
  /** Entries of the lane's forced queue that those blocks hold, by index. */
  readonly forced: readonly ForcedEntry[]
}

/** Seconds since the Unix epoch: the system's, or the newest L1 block's where the chain's clock is moved by hand. */
export interface Clock {
  now(): number
}

export const systemClock: Clock = { now: () => Math.floor(Date.now() / 1000) }
