import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

// What plays a fleet, and what the real thing is compared with, are processes of their own, so that their CPU and memory are told apart.

/** By name: what a helper can be asked. Parameters and answers go by structured clone. */
export type Calls = Readonly<Record<string, (...parameters: never[]) => Promise<unknown>>>

interface Asked {
  readonly id: number
  readonly name: string
  readonly parameters: readonly unknown[]
}

type Answered = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string }

/** The parent's end. */
export class HelperProcess<Offered extends Calls> implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>()
  #count = 0

  constructor(file: URL, flags: readonly string[] = []) {
    this.#process = fork(file, {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning', ...flags],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    this.#process.on('message', (message: Answered) => {
      const asked = this.#open.get(message.id)
      this.#open.delete(message.id)
      if ('error' in message) asked?.reject(new Error(message.error))
      else asked?.resolve(message.value)
    })
    this.#process.once('exit', (code) => {
      for (const asked of this.#open.values()) asked.reject(new Error(`${file.pathname} ended with ${code}`))
      this.#open.clear()
    })
  }

  ask<Name extends keyof Offered & string>(
    name: Name,
    ...parameters: Parameters<Offered[Name]>
  ): Promise<Awaited<ReturnType<Offered[Name]>>> {
    const id = ++this.#count
    const asked = Promise.withResolvers<unknown>()
    this.#open.set(id, asked)
    this.#process.send({ id, name, parameters } satisfies Asked)
    return asked.promise as Promise<Awaited<ReturnType<Offered[Name]>>>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.disconnect()
    await ended
  }
}

/** The helper's end. It goes with its parent, whichever way that goes. */
export function serveCalls(calls: Calls): void {
  process.on('message', ({ id, name, parameters }: Asked) => {
    calls[name]!(...(parameters as never[])).then(
      (value) => process.send?.({ id, value } satisfies Answered),
      (error: unknown) =>
        process.send?.({ id, error: error instanceof Error ? error.stack! : String(error) } satisfies Answered),
    )
  })
  process.once('disconnect', () => process.exit())
}
