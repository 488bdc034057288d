import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { LoadCommand, LoadReply, Target } from './loadProtocol.ts'

export interface LoadRun {
  readonly settled: number
  readonly cpuSeconds: number
  readonly latenciesMs: readonly number[]
}

/** A process that plays chargers and gateways (loadProcess.ts). */
export class LoadGenerator implements AsyncDisposable {
  readonly #process: ChildProcess

  private constructor(process: ChildProcess) {
    this.#process = process
  }

  static async open(target: Target, connections: number): Promise<LoadGenerator> {
    const child = fork(new URL('./loadProcess.ts', import.meta.url), { serialization: 'advanced', execArgv: [] })
    const generator = new LoadGenerator(child)
    await generator.#ask({ kind: 'connect', target, connections })
    return generator
  }

  async load(bodies: readonly (readonly Uint8Array[])[]): Promise<void> {
    await this.#ask({ kind: 'load', bodies })
  }

  async go(pace: { inFlight: number; requestsPerSecond?: number }): Promise<LoadRun> {
    const answer = await this.#ask({ kind: 'go', ...pace })
    if (answer.kind !== 'done') throw new Error(`the load generator answered ${answer.kind}`)
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.send({ kind: 'stop' } satisfies LoadCommand)
    await ended
  }

  async #ask(command: LoadCommand): Promise<LoadReply> {
    const gone = new AbortController()
    const exit = once(this.#process, 'exit', { signal: gone.signal }).then(
      () => Promise.reject(new Error('the load generator ended')),
      () => new Promise<never>(() => {}),
    )
    try {
      this.#process.send(command)
      const [answer] = (await Promise.race([once(this.#process, 'message'), exit])) as [LoadReply]
      return answer
    } finally {
      gone.abort()
    }
  }
}
