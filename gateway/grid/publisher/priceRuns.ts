/** Prices of consecutive periods, as one `setPrices` takes them. */
export interface PriceRun {
  readonly firstPeriod: number
  /** 10^-9 token per Wh. */
  readonly nano: readonly number[]
}

export interface RunRules {
  /** No run goes across it: what lies before may freeze before it is mined, and must not take the rest with it. */
  readonly splitAt: number
  readonly maxPeriods: number
}

/** Only periods that differ from L1, in ascending order. */
export function runsOf(wanted: ReadonlyMap<number, number>, rules: RunRules): PriceRun[] {
  const periods = [...wanted.keys()].sort((a, b) => a - b)
  const runs: { firstPeriod: number; nano: number[] }[] = []
  for (const period of periods) {
    const run = runs.at(-1)
    const isNext = run !== undefined && run.firstPeriod + run.nano.length === period
    if (isNext && period !== rules.splitAt && run.nano.length < rules.maxPeriods) run.nano.push(wanted.get(period)!)
    else runs.push({ firstPeriod: period, nano: [wanted.get(period)!] })
  }
  return runs
}
