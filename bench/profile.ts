import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Profiled } from './benchmark.ts'

/** V8's, as `--cpu-prof` writes it: as many samples as deltas, each delta the time before its sample. */
export interface CpuProfile {
  /** Monotonic, µs, as `process.hrtime`. */
  readonly startTime: number
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** What threads of one kind did by themselves, by group, ms. */
export interface ThreadTime {
  readonly thread: string
  readonly count: number
  readonly groups: ReadonlyMap<string, number>
}

const ROOT = new URL('..', import.meta.url).href
const IDLE = '(idle)'
/** Where an idle worker of Piscina's sits. */
const WAITING = 'atomicsWaitLoop'
/** Smaller groups are summed up. */
const LEAST_SHARE = 0.01

/** Files of a folder that `seen` does not know. */
export function newProfiles(folder: string, seen: ReadonlySet<string>): CpuProfile[] {
  const files = profilesIn(folder).filter((file) => !seen.has(file))
  return files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile)
}

export function profilesIn(folder: string): string[] {
  return readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'))
}

/** Threads that run the same file are taken together. Without windows all of their time counts. */
export function threadTimes(profiles: readonly CpuProfile[], profiled?: Profiled): ThreadTime[] {
  const isIn = (micros: number): boolean =>
    profiled?.windows.some(({ fromMicros, toMicros }) => micros >= fromMicros && micros <= toMicros) ?? true
  const threads = new Map<string, { count: number; groups: Map<string, number> }>()
  for (const profile of profiles) {
    const name = threadOf(profile)
    const thread = threads.get(name) ?? { count: 0, groups: new Map<string, number>() }
    threads.set(name, thread)
    thread.count++
    const groupOf = new Map(profile.nodes.map(({ id, callFrame }) => [id, group(callFrame)]))
    let atMicros = profile.startTime
    for (const [i, id] of profile.samples.entries()) {
      atMicros += profile.timeDeltas[i]!
      if (!isIn(atMicros)) continue
      const name = groupOf.get(id)!
      thread.groups.set(name, (thread.groups.get(name) ?? 0) + profile.timeDeltas[i]! / 1_000)
    }
  }
  return [...threads].map(([thread, { count, groups }]) => ({ thread, count, groups }))
}

/** A table for each kind of thread that did something: self time, its share of it, and of one record when their number is known. */
export function* profileLines(times: readonly ThreadTime[], profiled?: Profiled): Iterable<string> {
  for (const { thread, count, groups } of times) {
    const busy = [...groups].filter(([name]) => name !== IDLE).sort(([, a], [, b]) => b - a)
    const busyMs = busy.reduce((sum, [, ms]) => sum + ms, 0)
    const idleMs = groups.get(IDLE) ?? 0
    if (busyMs < (idleMs + busyMs) * LEAST_SHARE) continue
    const large = busy.filter(([, ms]) => ms >= busyMs * LEAST_SHARE)
    const restMs = busyMs - large.reduce((sum, [, ms]) => sum + ms, 0)
    yield `\n  ${count > 1 ? `${count} × ` : ''}${thread}, ${idleMs.toFixed(0)} ms idle`
    yield row('self time of', 'ms', 'share', profiled === undefined ? '' : 'µs a record')
    for (const [name, ms] of [...large, ['others', restMs] as const, ['all', busyMs] as const]) {
      const each = profiled === undefined ? '' : ((ms * 1_000) / profiled.records).toFixed(2)
      yield row(name, ms.toFixed(0), `${((ms / busyMs) * 100).toFixed(1)} %`, each)
    }
  }
}

const row = (name: string, ...cells: string[]): string =>
  `  ${name.padEnd(46)}${cells.map((cell) => cell.padStart(12)).join('')}`.trimEnd()

/** A worker by its own file; whatever is none, by where its process began. */
function threadOf({ nodes }: CpuProfile): string {
  const files = nodes.map(({ callFrame }) => ownPath(callFrame.url)).filter((path) => path !== undefined)
  const worker = files.find((path) => path.endsWith('Worker.ts'))
  if (worker !== undefined) return `worker ${worker}`
  return files.includes('bench/child.ts')
    ? 'main thread'
    : `main thread of ${files.find((path) => path.startsWith('cli/')) ?? files[0] ?? 'another process'}`
}

/** Own files by their path, packages and Node's modules as a whole, V8's own by their names. */
function group({ functionName, url }: CpuProfile['nodes'][number]['callFrame']): string {
  if (functionName === WAITING) return IDLE
  if (url === '') return functionName.startsWith('(') ? functionName : '(native)'
  const packageName = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1]
  if (packageName !== undefined) return packageName
  return ownPath(url) ?? url.split('/').slice(0, 2).join('/')
}

function ownPath(url: string): string | undefined {
  if (url.includes('/node_modules/')) return undefined
  if (url.startsWith(ROOT)) return url.slice(ROOT.length)
  const root = fileURLToPath(ROOT)
  return url.startsWith(root) ? url.slice(root.length) : undefined
}
