import { type BenchOptions, median, type Rounds, WARM_UPS } from '../benchmark.ts'
import { HelperProcess } from '../helperProcess.ts'
import type { PointCalls } from './pointProcess.ts'

/** How something grows: a benchmark at several sizes, each beside its limit. */
export interface Curve {
  readonly name: string
  readonly title: string
  readonly x: { readonly label: string; readonly isLog: boolean; readonly values: readonly number[] }
  /** The first is the large one. */
  readonly panels: readonly Panel[]
  open(x: number, options: BenchOptions): Promise<Rounds>
}

export interface Panel {
  readonly title: string
  readonly series: readonly Series[]
  /** Over decades. Default: from zero. */
  readonly isLog?: boolean
  /** A ratio to a limit, which is drawn at 1. */
  readonly limitIsOne?: boolean
}

export interface Series {
  /** Of a round. */
  readonly figure: string
  readonly label: string
  /** A limit is drawn as one. */
  readonly role: 'real' | 'also' | 'limit'
}

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export interface CurvePoint {
  readonly x: number
  readonly figures: Readonly<Record<string, Spread>>
}

/**
 * Every point is a process of its own, and the rounds go around the points, there and back: what the machine does to one it does to all, and a
 * machine that slows down doesn't bend the curve.
 */
export async function measureCurve(curve: Curve, options: BenchOptions): Promise<CurvePoint[]> {
  await using opened = new AsyncDisposableStack()
  const points: { x: number; process: HelperProcess<PointCalls>; rounds: Record<string, number>[] }[] = []
  for (const x of curve.x.values) {
    const file = new URL('./pointProcess.ts', import.meta.url)
    const process = opened.use(new HelperProcess<PointCalls>(file))
    await process.ask('open', curve.name, x, options)
    opened.defer(() => process.ask('close'))
    points.push({ x, process, rounds: [] })
  }
  for (let index = 0; index < WARM_UPS + options.rounds; index++) {
    for (const { process, rounds } of index % 2 === 0 ? points : points.toReversed()) {
      const figures = await process.ask('round', index)
      if (index >= WARM_UPS) rounds.push(figures)
    }
  }
  return points.map(({ x, rounds }) => ({ x, figures: spreads(rounds) }))
}

export function spreads(rounds: readonly Record<string, number>[]): Record<string, Spread> {
  const spreadOf = (name: string): Spread => {
    const values = rounds.map((figures) => figures[name]!)
    return { median: median(values), low: Math.min(...values), high: Math.max(...values) }
  }
  return Object.fromEntries(Object.keys(rounds[0]!).map((name) => [name, spreadOf(name)]))
}
