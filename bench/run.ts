import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
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
  if (unknown.length > 0) throw new RangeError(`no benchmark ${unknown.join(', ')}`)
  const baseline = JSON.parse(readFileSync(BASELINE, 'utf8')) as Baseline
  const results: Record<string, BenchResult> = {}
  for (const benchmark of benchmarks) {
    if (run.only.length > 0 && !run.only.includes(benchmark.name)) continue
    run.print(`\n${benchmark.name}: ${benchmark.title}`)
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

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      evses: { type: 'string', default: String(benchDefaults.evses) },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      profile: { type: 'string' },
      'write-baseline': { type: 'boolean', default: false },
    },
  })
  const { only, quick, json, profile } = values
  const rounds = Number(values.rounds ?? (quick ? 3 : benchDefaults.rounds))
  const evses = Number(values.evses)
  if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError('--rounds is a whole number above 0')
  if (!Number.isInteger(evses) || evses < 64 || evses > 10_000) throw new RangeError('--evses is 64 to 10 000')
  const print = (line: string): void => console.log(line)
  await runBench({ only, rounds, evses, quick, json, profile, writeBaseline: values['write-baseline'], print })
}
