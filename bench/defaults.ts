import type { BenchRun } from './run.ts'

export const benchDefaults = {
  rounds: 7,
  curveRounds: 5,
  evses: 1_000,
  quick: false,
  plots: 'plots',
} as const satisfies Partial<BenchRun>
