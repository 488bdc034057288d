import { BackfeedError, describeError, ExitCode, exitCodeOf } from './errors.ts'
import type { Logger } from './log.ts'

export interface ComponentContext {
  /** Aborted when the service stops. */
  signal: AbortSignal
  /** For a fault after the start: stops the whole service, which then ends with this error. Never returns a promise to wait on. */
  fail(error: unknown): void
}

export interface Component {
  readonly name: string
  /** Resolves when the component is ready to be used by the next one. */
  start?(context: ComponentContext): Promise<void> | void
  /** Resolves when nothing of it runs any more. Called once, also when only later components failed to start. */
  stop?(): Promise<void> | void
}

export interface ServiceSettings {
  name: string
  /** In the order of start; stopped in reverse. */
  components: readonly Component[]
  log: Logger
  signal?: AbortSignal
  /** A component that takes longer to stop is left behind and reported. Default 30 s. */
  stopTimeoutMs?: number
}

export interface Service extends AsyncDisposable {
  /** Resolves when stopped; rejects with the fault that stopped it. */
  readonly done: Promise<void>
  stop(): Promise<void>
}

/** Starts everything in order. A failed start stops what had started and throws the failure. */
export async function startService(settings: ServiceSettings): Promise<Service> {
  const { log, name } = settings
  const stopping = new AbortController()
  const started: Component[] = []
  let fault: unknown
  let finish: (() => void) | undefined
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  let stopped: Promise<void> | undefined

  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      stopping.abort()
      await stopReversed(started, log, settings.stopTimeoutMs ?? 30_000)
      finish?.()
    })()
    return stopped
  }
  const fail = (error: unknown): void => {
    if (stopping.signal.aborted) {
      log.warn({ err: error }, 'fault while stopping')
      return
    }
    fault ??= error
    log.fatal({ err: error }, `${name} stops because of a fault: ${describeError(error)}`)
    void stop()
  }

  for (const component of settings.components) {
    if (settings.signal?.aborted === true || stopping.signal.aborted) break
    started.push(component)
    try {
      await component.start?.({ signal: stopping.signal, fail })
      log.debug({ component: component.name }, 'started')
    } catch (cause) {
      await stop()
      throw new BackfeedError('START_FAILED', `${name} could not start ${component.name}`, {
        exitCode: exitCodeOf(cause),
        cause,
      })
    }
  }
  if (fault !== undefined) {
    await stop()
    throw fault
  }
  if (settings.signal?.aborted === true) await stop()
  else settings.signal?.addEventListener('abort', () => void stop(), { once: true })

  const done = finished.then(() => {
    if (fault !== undefined) throw fault
  })
  done.catch(() => {}) // whoever stops by hand need not look at it
  return { done, stop, [Symbol.asyncDispose]: stop }
}

/** Runs a service until SIGINT or SIGTERM, or its own fault. Returns the exit code; a second signal ends the process at once. */
export async function runUntilSignal(log: Logger, start: (signal: AbortSignal) => Promise<Service>): Promise<ExitCode> {
  const interrupt = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    if (interrupt.signal.aborted) process.exit(ExitCode.internalFault)
    log.info({ signal }, 'stopping')
    interrupt.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  try {
    const service = await start(interrupt.signal)
    await service.done
    return ExitCode.ok
  } catch (error) {
    log.fatal({ err: error }, describeError(error))
    return exitCodeOf(error)
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

async function stopReversed(started: Component[], log: Logger, timeoutMs: number): Promise<void> {
  for (const component of [...started].reverse()) {
    if (component.stop === undefined) continue
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new BackfeedError('STOP_TIMEOUT', `${component.name} did not stop in ${timeoutMs} ms`)),
        timeoutMs,
      )
    })
    try {
      await Promise.race([Promise.resolve(component.stop()), timeout])
      log.debug({ component: component.name }, 'stopped')
    } catch (error) {
      // The others must still be stopped: report and go on.
      log.error({ err: error, component: component.name }, `stopping ${component.name} failed`)
    } finally {
      clearTimeout(timer)
    }
  }
}
