import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { BenchOptions } from '../benchmark.ts'
import { type Curve, type CurvePoint, measureCurve } from './curve.ts'
import { drawPlot } from './plot.ts'
import { exact, short } from './scale.ts'

export interface CurveRun extends BenchOptions {
  /** The folder of the drawings. */
  readonly plots: string
  readonly print: (line: string) => void
}

/** Measures a curve, prints it as a table and draws it. */
export async function runCurve(curve: Curve, run: CurveRun): Promise<CurvePoint[]> {
  run.print(`\n${curve.name}: ${curve.title}`)
  const { rounds, evses, quick } = run
  const points = await measureCurve(curve, { rounds, evses, quick })
  for (const line of table(curve, points)) run.print(line)
  const cores = `${availableParallelism()} cores, Node ${process.version.slice(1)}`
  const range = rounds === 1 ? 'One round.' : `Medians of ${rounds} rounds; fine lines are their range.`
  mkdirSync(run.plots, { recursive: true })
  const file = join(run.plots, `${curve.name}.svg`)
  writeFileSync(file, drawPlot(curve, points, `${cores}. ${range}`))
  run.print(`  drawn: ${file}`)
  return points
}

/** A line for each figure that is drawn, a column for each point. */
function* table({ x, panels }: Curve, points: readonly CurvePoint[]): Iterable<string> {
  const line = (name: string, values: readonly string[]): string =>
    `  ${name.padEnd(24)}${values.map((value) => value.padStart(10)).join('')}`
  yield line(x.label.split(',')[0]!.slice(0, 24), x.values.map(exact))
  const figures = new Set(panels.flatMap(({ series }) => series.map(({ figure }) => figure)))
  for (const name of figures) {
    const medians = points.map((point) => short(point.figures[name]!.median))
    yield line(name, medians)
  }
}
