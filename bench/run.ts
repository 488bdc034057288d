import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { type Benchmark, type BenchOptions, type BenchResult, meets } from './benchmark.ts'
import { benchmarks } from './benchmarks.ts'
import type { ChildTask } from './child.ts'

export interface BenchRun extends BenchOptions {
  /** Only these; all when empty. */
  readonly only: readonly string[]
  /** Where to write all figures. */
  readonly json?: string | undefined
  /** Writes the ratios as the new baseline. */
  readonly writeBaseline?: boolean | undefined
  /** A `.cpuprofile` of the sequencer's process into this folder. */
  readonly profile?: string | undefined
  readonly print: (line: string) => void
}

export const benchDefaults = { rounds: 7, evses: 1_000, quick: false } as const satisfies BenchOptions

type Baseline = Record<string, Record<string, number>>

const BASELINE = new URL('./baseline.json', import.meta.url)

/** Runs benchmarks one after another and prints each ratio beside its baseline. Never fails for slowness. */
export async function runBench(run: BenchRun): Promise<Record<string, BenchResult>> {
  const unknown = run.only.filter((wanted) => !benchmarks.some(({ name }) => name === wanted))
  if (unknown.length > 0) {
    const known = benchmarks.map(({ name }) => name).join(', ')
    throw new BackfeedError('BENCHMARK_UNKNOWN', `no benchmark ${unknown.join(', ')}; there are ${known}`, {
      exitCode: ExitCode.usage,
    })
  }
  const baseline = JSON.parse(readFileSync(BASELINE, 'utf8')) as Baseline
  const results: Record<string, BenchResult> = {}
  for (const benchmark of benchmarks) {
    if (run.only.length > 0 && !run.only.includes(benchmark.name)) continue
    run.print(`\n${benchmark.name}: ${benchmark.title}`)
    const missing = benchmark.missing?.()
    if (missing !== undefined) {
      run.print(`  left out: ${missing}`)
      continue
    }
    const result = await runAlone(benchmark.name, run)
    results[benchmark.name] = result
    for (const line of lines(benchmark, result, baseline[benchmark.name] ?? {})) run.print(line)
  }
  if (run.json !== undefined) {
    const machine = { cpus: cpus().length, model: cpus()[0]?.model, node: process.version }
    writeFileSync(run.json, `${JSON.stringify({ machine, results }, null, 2)}\n`)
  }
  if (run.writeBaseline) {
    for (const [name, { ratios }] of Object.entries(results)) {
      baseline[name] = Object.fromEntries(Object.entries(ratios).map(([key, value]) => [key, rounded(value)]))
    }
    writeFileSync(BASELINE, `${JSON.stringify(baseline, null, 2)}\n`)
  }
  return results
}

async function runAlone(name: string, run: BenchRun): Promise<BenchResult> {
  const { rounds, evses, quick, profile } = run
  const execArgv = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]
  const child: ChildProcess = fork(new URL('./child.ts', import.meta.url), {
    execArgv: ['--disable-warning=ExperimentalWarning', '--expose-gc', ...execArgv],
  })
  let result: BenchResult | undefined
  child.once('message', (message) => {
    result = message as BenchResult
  })
  child.send({ name, options: { rounds, evses, quick } } satisfies ChildTask)
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
