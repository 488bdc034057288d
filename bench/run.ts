import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { type Benchmark, type BenchOptions, type BenchResult, meets } from './benchmark.ts'
import { benchmarks } from './benchmarks.ts'
import type { ChildTask } from './child.ts'
import type { Curve, CurvePoint } from './curves/curve.ts'
import { curves } from './curves/curves.ts'
import { runCurve } from './curves/run.ts'
import { newProfiles, profileLines, profilesIn, threadTimes } from './profile.ts'

export interface BenchRun extends BenchOptions {
  /** Only these; all when empty. */
  readonly only: readonly string[]
  /** Where to write all figures. */
  readonly json?: string | undefined
  /** Writes the ratios as the new baseline. */
  readonly writeBaseline?: boolean | undefined
  /** A `.cpuprofile` of each thread into this folder, and a table of them. */
  readonly profile?: string | undefined
  /** No benchmarks, only curves. */
  readonly curvesOnly?: boolean | undefined
  readonly curveRounds: number
  /** The folder that the curves are drawn into. */
  readonly plots: string
  readonly print: (line: string) => void
}

type Baseline = Record<string, Record<string, number>>

const BASELINE = new URL('./baseline.json', import.meta.url)

/** Runs benchmarks one after another and prints each ratio beside its baseline, then the curves. Never fails for slowness. */
export async function runBench(run: BenchRun): Promise<Record<string, BenchResult>> {
  const chosen = chosenBy(run)
  const baseline = JSON.parse(readFileSync(BASELINE, 'utf8')) as Baseline
  const results: Record<string, BenchResult> = {}
  for (const benchmark of chosen.benchmarks) {
    run.print(`\n${benchmark.name}: ${benchmark.title}`)
    const missing = benchmark.missing?.()
    if (missing !== undefined) {
      run.print(`  left out: ${missing}`)
      continue
    }
    const seen = new Set(run.profile === undefined || !existsSync(run.profile) ? [] : profilesIn(run.profile))
    const result = await runAlone(benchmark, run)
    results[benchmark.name] = result
    for (const line of lines(benchmark, result, baseline[benchmark.name] ?? {})) run.print(line)
    if (run.profile === undefined) continue
    for (const line of profileLines(threadTimes(newProfiles(run.profile, seen), result.profiled), result.profiled))
      run.print(line)
  }
  const points: Record<string, readonly CurvePoint[]> = {}
  for (const curve of chosen.curves) points[curve.name] = await runCurve(curve, { ...run, rounds: run.curveRounds })
  if (run.json !== undefined) {
    const machine = { cpus: cpus().length, model: cpus()[0]?.model, node: process.version, load: loadavg() }
    writeFileSync(run.json, `${JSON.stringify({ machine, results, curves: points }, null, 2)}\n`)
  }
  if (run.writeBaseline) {
    for (const [name, { ratios }] of Object.entries(results)) {
      baseline[name] = Object.fromEntries(Object.entries(ratios).map(([key, value]) => [key, rounded(value)]))
    }
    writeFileSync(BASELINE, `${JSON.stringify(baseline, null, 2)}\n`)
  }
  return results
}

/** All, or those named. A name stands for every curve that begins with it: `batch` for `batch-bls`. */
export function chosenBy({ only, curvesOnly }: Pick<BenchRun, 'only' | 'curvesOnly'>): {
  readonly benchmarks: readonly Benchmark[]
  readonly curves: readonly Curve[]
} {
  const possible = curvesOnly ? [] : benchmarks
  if (only.length === 0) return { benchmarks: possible, curves }
  const stands = (wanted: string, curve: Curve): boolean => `${curve.name}-`.startsWith(`${wanted}-`)
  const unknown = only.filter(
    (wanted) => !possible.some(({ name }) => name === wanted) && !curves.some((curve) => stands(wanted, curve)),
  )
  if (unknown.length > 0) {
    const known = [...possible, ...curves].map(({ name }) => name).join(', ')
    throw new BackfeedError('BENCHMARK_UNKNOWN', `no benchmark ${unknown.join(', ')}; there are ${known}`, {
      exitCode: ExitCode.usage,
    })
  }
  return {
    benchmarks: possible.filter(({ name }) => only.includes(name)),
    curves: curves.filter((curve) => only.some((wanted) => stands(wanted, curve))),
  }
}

async function runAlone({ name, module }: Benchmark, run: BenchRun): Promise<BenchResult> {
  const { rounds, evses, quick, profile } = run
  const execArgv = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]
  const child: ChildProcess = fork(new URL('./child.ts', import.meta.url), {
    execArgv: ['--disable-warning=ExperimentalWarning', ...execArgv],
  })
  let result: BenchResult | undefined
  child.once('message', (message) => {
    result = message as BenchResult
  })
  child.send({ module, name, options: { rounds, evses, quick } } satisfies ChildTask)
  const [code] = (await once(child, 'exit')) as [number | null]
  if (result === undefined) throw new Error(`benchmark ${name} ended with ${code}`)
  return result
}

function* lines(benchmark: Benchmark, result: BenchResult, baseline: Record<string, number>): Iterable<string> {
  for (const [name, value] of Object.entries(result.ratios)) {
    const before = baseline[name]
    const beside = before === undefined ? 'no baseline' : `baseline ${before} (${percent(value / before - 1)})`
    yield `  ${name.padEnd(26)} ${value.toFixed(3).padStart(9)}   ${beside}${aimText(benchmark, name, value)}`
  }
  for (const [name, value] of Object.entries(result.figures)) {
    const text = value >= 1_000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2)
    yield `  ${name.padEnd(26)} ${text.padStart(9)}${aimText(benchmark, name, value)}`
  }
}

function aimText({ aims }: Benchmark, name: string, value: number): string {
  const aim = aims[name]
  if (aim === undefined) return ''
  const bound = 'atLeast' in aim ? `≥ ${aim.atLeast}` : `≤ ${aim.atMost}`
  return `   aim ${bound}: ${meets(value, aim) ? 'met' : 'MISSED'}`
}

const rounded = (value: number): number => Number(value.toPrecision(3))
const percent = (part: number): string => `${part >= 0 ? '+' : '−'}${Math.abs(part * 100).toFixed(0)} %`
