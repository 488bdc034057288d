import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ExitCode } from '../../runtime/errors.ts'
import { spawnNode } from '../support/nodeProcess.ts'

/** Looks again at what keeps a process from starting, as an init system does. */
const RESTART_MS = 50

export interface SupervisedOptions<T> {
  readonly name: string
  /** A file for Node that says in one line of JSON that it runs. */
  readonly script: string
  readonly args: readonly string[]
  /** Called each time it has started. */
  readonly onStart?: (told: T) => void
  readonly onDown?: () => void
}

/**
 * A service as a process of its own that is started again whenever it ends. It may end by itself only because L1 does not answer: any
 * other end of its own is a failure of the run.
 */
export class Supervised<T> implements AsyncDisposable {
  readonly #options: SupervisedOptions<T>
  #child: ChildProcess | undefined
  #running: Promise<void> = Promise.resolve()
  #wanted = false
  #expected = false
  #told: T | undefined
  #fault: Error | undefined
  starts = 0
  /** It gave up by itself, for want of L1. */
  gaveUp = 0

  constructor(options: SupervisedOptions<T>) {
    this.#options = options
  }

  get fault(): Error | undefined {
    return this.#fault
  }

  /** What it said when it started; undefined while it does not run. */
  get told(): T | undefined {
    return this.#told
  }

  start(): void {
    if (this.#wanted) return
    this.#wanted = true
    this.#expected = false
    this.#running = this.#keep().catch((error: unknown) => {
      this.#fault = error as Error
    })
  }

  /** Resolves when it has said that it runs. */
  async up(timeoutMs = 90_000): Promise<T> {
    const deadline = Date.now() + timeoutMs
    while (this.#told === undefined) {
      if (this.#fault !== undefined) throw this.#fault
      if (Date.now() > deadline) throw new Error(`the ${this.#options.name} did not start within ${timeoutMs} ms`)
      await sleep(10)
    }
    return this.#told
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** kill -9, at whatever it is doing, also starting. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Asks it to end, and expects that it does so in order. */
  async stop(): Promise<void> {
    const code = await this.#end('SIGTERM')
    if (code !== undefined && code !== 0)
      throw new Error(`the ${this.#options.name} ended with ${String(code)} on SIGTERM`)
  }

  async #end(signal: NodeJS.Signals): Promise<number | null | undefined> {
    this.#wanted = false
    const child = this.#child
    // Asked before it listens for signals it just ends: then only being gone counts.
    const hadStarted = this.#told !== undefined
    this.#expected = true
    child?.kill(signal)
    child?.kill('SIGCONT')
    await this.#running
    return signal === 'SIGTERM' && hadStarted ? child?.exitCode : undefined
  }

  async #keep(): Promise<void> {
    const { name, onStart, onDown } = this.#options
    while (this.#wanted) {
      const code = await this.#once(onStart)
      this.#told = undefined
      onDown?.()
      if (this.#expected || !this.#wanted) return
      if (code !== ExitCode.l1Unreachable && code !== ExitCode.refusedByL1) {
        throw new Error(`the ${name} ended by itself with ${String(code)}`)
      }
      this.gaveUp++
      await sleep(RESTART_MS)
    }
  }

  async #once(onStart: ((told: T) => void) | undefined): Promise<number | string | null> {
    const { script, args } = this.#options
    const child = spawnNode(script, args, ['ignore', 'pipe', 'inherit'])
    this.#child = child
    const exited = once(child, 'exit') as Promise<[number | null, string | null]>
    const lines = createInterface({ input: child.stdout! })
    lines.on('line', (line: string) => {
      // Its log comes the same way.
      if (!line.startsWith('{"url"')) return void (process.env.TEST_LOG && process.stderr.write(`${line}\n`))
      this.#told = JSON.parse(line) as T
      this.starts++
      onStart?.(this.#told)
    })
    const [code, signal] = await exited
    lines.close()
    return code ?? signal
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
