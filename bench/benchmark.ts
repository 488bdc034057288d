import type { Window } from './measure.ts'

/** What a benchmark is told. */
export interface BenchOptions {
  readonly rounds: number
  /** EVSEs with real keys, in the benchmarks that verify signatures. */
  readonly evses: number
  /** Fewer rounds and records: for a look, not for a baseline. */
  readonly quick: boolean
}

/** A bound that docs/performance.md explains. Missing it is shown and never fails a run: machines differ, and share. */
export type Aim = { readonly atLeast: number } | { readonly atMost: number }

export interface BenchResult {
  /** Rates beside the rate of the same round's limit; what baselines hold, since only ratios survive a change of machine. */
  readonly ratios: Readonly<Record<string, number>>
  /** Absolute figures, the unit last in the name. */
  readonly figures: Readonly<Record<string, number>>
  /** What a profile is to look at, where it can: the real thing without its warm-up. */
  readonly profiled?: Profiled
}

export interface Profiled {
  readonly windows: readonly Window[]
  /** That went through in them. */
  readonly records: number
}

export interface Benchmark {
  readonly name: string
  /** That exports it: all that its process loads. */
  readonly module: string
  readonly title: string
  /** By the name of a ratio or figure. */
  readonly aims: Readonly<Record<string, Aim>>
  /** Why it cannot run on this machine; undefined when it can. Default: it can. */
  missing?(): string | undefined
  run(options: BenchOptions): Promise<BenchResult>
}

export function meets(value: number, aim: Aim): boolean {
  return 'atLeast' in aim ? value >= aim.atLeast : value <= aim.atMost
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Nearest rank above; NaN of nothing. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN
}

/** The limit and the real thing, opened once, measured in turn as often as asked. */
export interface Rounds extends AsyncDisposable {
  round(index: number): Promise<Record<string, number>>
}

export const WARM_UPS = 2

/** Runs `round` so often and gathers each named value's median. `warmUps` before, in which code is compiled, are not counted. */
export async function medians(
  rounds: number,
  round: (index: number) => Promise<Record<string, number>>,
  warmUps = WARM_UPS,
): Promise<Record<string, number>> {
  for (let index = 0; index < warmUps; index++) await round(index)
  const all: Record<string, number>[] = []
  for (let index = 0; index < rounds; index++) all.push(await round(warmUps + index))
  return Object.fromEntries(Object.keys(all[0]!).map((name) => [name, median(all.map((values) => values[name]!))]))
}
