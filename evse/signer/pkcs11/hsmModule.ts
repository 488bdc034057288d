import { realpath } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { BackfeedError } from '../../../runtime/errors.ts'
import type { Logger } from '../../../runtime/log.ts'
import { HSM_CALL_TIMEOUT_MS, HSM_FIRST_RETRY_MS, HSM_MAX_RETRY_MS, MAX_PENDING_HSM_CALLS } from '../limits.ts'
import type { SignerMetrics } from '../signerMetrics.ts'
import type { HsmCall, HsmFailure, HsmReply, HsmRequest, KeySpec, OpenedKey } from './messages.ts'

export interface HsmModuleDeps {
  readonly log: Logger
  readonly metrics?: SignerMetrics | undefined
}

interface Waiting {
  resolve(result: OpenedKey | Uint8Array | undefined): void
  reject(error: BackfeedError): void
  readonly timer: NodeJS.Timeout
}

interface Shared {
  readonly module: HsmModule
  users: number
}

// A PKCS#11 library is initialised once a process, so whoever names the same file shares its thread.
const shared = new Map<string, Shared>()
const ending = new Map<string, Promise<void>>()

/** The thread of a PKCS#11 library, started at first use. Give it back with `release()`. */
export async function acquireHsmModule(file: string, deps: HsmModuleDeps): Promise<HsmModule> {
  // Two names of one file are one library. A missing file is reported by the thread, which cannot load it.
  const path = await realpath(file).catch(() => file)
  while (ending.has(path)) await ending.get(path)
  const entry = shared.get(path) ?? { module: new HsmModule(path, deps), users: 0 }
  entry.users++
  shared.set(path, entry)
  return entry.module
}

/** One thread, many keys. Calls are answered in order; while the thread is down they fail at once, retryable. */
export class HsmModule {
  readonly #path: string
  readonly #deps: HsmModuleDeps
  readonly #keys = new Map<number, KeySpec>()
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  /** Calls the thread has not answered, those given up included. */
  #unanswered = 0
  #nextKey = 0
  #nextId = 0
  #crashes = 0
  #nextStartMs = Number.NEGATIVE_INFINITY

  constructor(path: string, deps: HsmModuleDeps) {
    this.#path = path
    this.#deps = deps
  }

  /** @throws BackfeedError HSM_UNAVAILABLE, HSM_PIN_REFUSED, HSM_KEY_MISSING */
  async openKey(spec: KeySpec): Promise<OpenedKey & { readonly key: number }> {
    const key = this.#nextKey++
    try {
      const opened = (await this.#call({ op: 'open', key, spec })) as OpenedKey
      this.#keys.set(key, spec)
      return { ...opened, key }
    } catch (error) {
      this.dropKey(key)
      throw error
    }
  }

  dropKey(key: number): void {
    this.#keys.delete(key)
    if (this.#worker !== undefined) this.#call({ op: 'drop', key }).catch(() => {})
  }

  /** Raw r ‖ s. @throws BackfeedError HSM_UNAVAILABLE (retryable), SIGNER_BUSY (retryable), HSM_PIN_REFUSED */
  async sign(key: number, digest: Uint8Array): Promise<Uint8Array> {
    return (await this.#call({ op: 'sign', key, digest })) as Uint8Array
  }

  /** A new P-256 key that never leaves the token. @throws BackfeedError HSM_KEY_EXISTS and as openKey */
  async generate(spec: KeySpec): Promise<OpenedKey> {
    return (await this.#call({ op: 'generate', spec })) as OpenedKey
  }

  /** The last user ends the thread; resolves when it is gone. */
  async release(): Promise<void> {
    const entry = shared.get(this.#path)
    if (entry === undefined || entry.module !== this || --entry.users > 0) return
    shared.delete(this.#path)
    const done = this.#end()
    ending.set(this.#path, done)
    await done
    ending.delete(this.#path)
  }

  #call(call: HsmCall): Promise<OpenedKey | Uint8Array | undefined> {
    if (this.#unanswered >= MAX_PENDING_HSM_CALLS) {
      const text = `${this.#unanswered} calls wait for ${this.#path}`
      return Promise.reject(new BackfeedError('SIGNER_BUSY', text, { retryable: true }))
    }
    let worker: Worker
    try {
      worker = this.#worker ?? this.#start()
    } catch (error) {
      return Promise.reject(error)
    }
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      const timer = setTimeout(() => {
        this.#waiting.delete(id)
        reject(unavailable(`${this.#path} did not answer in ${HSM_CALL_TIMEOUT_MS} ms`))
      }, HSM_CALL_TIMEOUT_MS)
      this.#waiting.set(id, { resolve, reject, timer })
      this.#unanswered++
      worker.postMessage({ id, call } satisfies HsmRequest)
    })
  }

  #start(): Worker {
    if (performance.now() < this.#nextStartMs) throw unavailable(`the thread of ${this.#path} broke down`)
    // The process's own options (--input-type, say) are not the thread's.
    const settings = { workerData: { module: this.#path }, execArgv: [] }
    const worker = new Worker(new URL('./worker.ts', import.meta.url), settings)
    worker.on('message', (reply: HsmReply) => this.#answered(reply))
    worker.on('error', (error) => this.#deps.log.error({ err: error, module: this.#path }, 'the PKCS#11 thread failed'))
    worker.on('exit', () => this.#exited(worker))
    this.#worker = worker
    // After a crash the new thread is told of the keys before it is asked for signatures.
    for (const [key, spec] of this.#keys) this.#call({ op: 'open', key, spec }).catch(() => {})
    return worker
  }

  #answered(reply: HsmReply): void {
    if ('event' in reply) {
      const { event, message } = reply
      this.#deps.metrics?.hsmRecoveries.inc({ outcome: event === 'recovered' ? 'ok' : 'failed' })
      if (event === 'recovered') this.#deps.log.info({ module: this.#path }, message)
      else this.#deps.log.warn({ module: this.#path, code: 'HSM_UNAVAILABLE' }, `HSM lost: ${message}`)
      return
    }
    this.#unanswered--
    this.#crashes = 0
    const waiting = this.#waiting.get(reply.id)
    if (waiting === undefined) return
    this.#waiting.delete(reply.id)
    clearTimeout(waiting.timer)
    if ('failure' in reply) waiting.reject(errorOf(reply.failure))
    else waiting.resolve(reply.result)
  }

  #exited(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#unanswered = 0
    this.#nextStartMs = performance.now() + Math.min(HSM_FIRST_RETRY_MS * 2 ** this.#crashes, HSM_MAX_RETRY_MS)
    this.#crashes++
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer)
      reject(unavailable(`the thread of ${this.#path} broke down`))
    }
    this.#waiting.clear()
  }

  async #end(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    // A module that hangs must not keep the process from ending.
    await this.#call({ op: 'end' }).catch(() => worker.terminate())
    await gone
  }
}

function errorOf({ code, message, retryable }: HsmFailure): BackfeedError {
  return new BackfeedError(code, message, { retryable })
}

function unavailable(message: string): BackfeedError {
  return new BackfeedError('HSM_UNAVAILABLE', message, { retryable: true })
}
