import { type FileHandle, open, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { BackfeedError } from '../../runtime/errors.ts'
import { pause } from '../../runtime/wait.ts'
import { type LeashedProcess, spawnLeashed } from '../leash.ts'

const PROGRAM = fileURLToPath(new URL('../../backfeed', import.meta.url))
/** A busy machine is slow; only a fault takes this long. */
const START_TIMEOUT_MS = 120_000

export interface GatewayProcessSettings {
  readonly configPath: string
  /** Where it answers, once it runs. */
  readonly statusUrl: string
  /** What it writes, appended to at each start. */
  readonly logPath: string
}

/** The gateway as users run it: `backfeed gateway` in a process of its own, which can be killed. */
export class GatewayProcess implements AsyncDisposable {
  readonly #settings: GatewayProcessSettings
  #process: LeashedProcess | undefined
  #starts = 0

  constructor(settings: GatewayProcessSettings) {
    this.#settings = settings
  }

  get starts(): number {
    return this.#starts
  }

  /** Resolves when it answers. @throws BackfeedError GATEWAY_ENDED with the last lines of its log */
  async start(signal: AbortSignal): Promise<void> {
    const { configPath, statusUrl, logPath } = this.#settings
    const log: FileHandle = await open(logPath, 'a')
    try {
      this.#process = spawnLeashed(PROGRAM, ['gateway', '--config', configPath], {
        stderr: log.fd,
        stdout: log.fd,
      })
    } finally {
      await log.close()
    }
    this.#starts++
    let code: number | 'running' | undefined = 'running'
    void this.#process.exited.then((ended) => (code = ended))
    const deadline = performance.now() + START_TIMEOUT_MS
    for (;;) {
      signal.throwIfAborted()
      if (code !== 'running' || performance.now() > deadline) {
        const why = code === 'running' ? 'does not answer' : `ended with ${code ?? 'a signal'}`
        throw new BackfeedError('GATEWAY_ENDED', `the gateway ${why}: ${await this.lastLines()}`)
      }
      if (await answers(statusUrl)) return
      await pause(20, signal)
    }
  }

  async kill(): Promise<void> {
    await this.#process?.kill()
    this.#process = undefined
  }

  /** Ends it in order; its exit code. */
  async stop(): Promise<number | undefined> {
    const code = await this.#process?.release()
    this.#process = undefined
    return code
  }

  async lastLines(): Promise<string> {
    const text = await readFile(this.#settings.logPath, 'utf8').catch(() => '')
    return text.trimEnd().split('\n').slice(-5).join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}
