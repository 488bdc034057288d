import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { spawnNode } from './nodeProcess.ts'

const PROCESS = fileURLToPath(new URL('./sequencerProcess.ts', import.meta.url))

const COLLECTED_MS = 1_000

/** Killed at the end of its scope if it still runs: a test that fails must come to its end. */
export interface SequencerChild extends AsyncDisposable {
  readonly process: ChildProcess
  readonly url: string
  readonly adminUrl: string
  readonly multiaddrs: readonly string[]
  /** What it holds of the machine's memory now. */
  residentMb(): number
  /** What it holds of memory that is no file's, right after a full collection of its main thread's heap. */
  liveMb(): Promise<number>
  /** Asks it to end in order; its exit code. */
  end(): Promise<number | null>
}

/** A sequencer as a process of its own, resolved when it listens. `settings`: a file of what its configuration would say. `before`: see spawnNode. */
export async function startSequencerChild(settings: string, before: readonly string[] = []): Promise<SequencerChild> {
  const child = spawnNode(PROCESS, [settings], ['ignore', 'pipe', 'inherit'], before)
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the sequencer ended with ${String(code)} before it listened`)
  })
  exited.catch(() => {})
  const lines = createInterface({ input: child.stdout! })
  const [line] = (await Promise.race([once(lines, 'line'), exited])) as [string]
  const dispose = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const end = async (): Promise<number | null> => {
    child.kill('SIGTERM')
    const [code] = (await once(child, 'exit')) as [number | null]
    return code
  }
  const told = JSON.parse(line) as Pick<SequencerChild, 'url' | 'adminUrl' | 'multiaddrs'>
  return {
    process: child,
    ...told,
    residentMb: () => memoryMb(child.pid!, 'VmRSS'),
    liveMb: async () => {
      child.kill('SIGUSR2')
      await sleep(COLLECTED_MS)
      return memoryMb(child.pid!, 'RssAnon')
    },
    end,
    [Symbol.asyncDispose]: dispose,
  }
}

function memoryMb(pid: number, name: 'VmRSS' | 'RssAnon'): number {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]
  return Math.round(Number(kilobytes) / 1_024)
}
