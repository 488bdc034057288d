import { describeError, isBackfeedError } from '../../../runtime/errors.ts'
import type { Logger } from '../../../runtime/log.ts'
import type { SourceProblem } from '../../sourceStatus.ts'
import type { GridMetrics } from '../gridMetrics.ts'
import { KEPT_AHEAD_SECONDS, KEPT_PAST_SECONDS, MAX_WAITING_RESPONSES } from '../limits.ts'
import { asksForDischarge, type Control, type GridEvent, type GridPicture, type Span } from '../model/gridEvent.ts'
import { type Answer, PolledSource } from '../polledSource.ts'
import { flowDirectionOf, type Ieee20305Config } from './config.ts'
import { type ResolvedControl, resolveControls } from './eventRules.ts'
import { type DeviceId, type Identity, loadIdentity } from './identity.ts'
import { parseNotification } from './notification.ts'
import { ResourceCache } from './resourceCache.ts'
import { ResponseBook, responseXml, type SepResponse } from './responses.ts'
import { SepClient } from './sepClient.ts'
import { type SepView, Walk } from './walk.ts'

export interface Ieee20305Deps {
  readonly log: Logger
  readonly metrics: GridMetrics
  readonly now: () => number
}

export interface Ieee20305Source extends PolledSource {
  /** For a receiver of notifications: what changed is asked for at once. @throws BackfeedError GRID_MESSAGE_INVALID */
  notified(message: Uint8Array): void
}

const EXPIRES_SOON_MS = 30 * 86_400_000
const RETRY_MS = 5_000
/** Above any program's: a default is what applies when nothing else does. */
const DEFAULT_PRIMACY = 256

/** A client of one IEEE 2030.5 server: DER programs, their events and the answers to them, and prices. */
export function openIeee20305(config: Ieee20305Config, deps: Ieee20305Deps): Ieee20305Source {
  const desk = new Desk(config, deps)
  const source = new PolledSource({
    name: config.name,
    ask: (signal) => desk.ask(signal),
    onPoke: () => desk.forget(),
    onStop: () => desk.close(),
    retryMs: Math.min(RETRY_MS, config.minPollSeconds * 1000),
    maxRetryMs: config.maxPollSeconds * 1000,
    staleMs: config.staleSeconds * 1000,
    ...deps,
  })
  return Object.assign(source, {
    notified: (message: Uint8Array): void => {
      parseNotification(message)
      source.poke()
    },
  })
}

class Desk {
  readonly #config: Ieee20305Config
  readonly #deps: Ieee20305Deps
  readonly #log: Logger
  readonly #cache: ResourceCache
  readonly #book = new ResponseBook()
  #waiting: SepResponse[] = []
  #identity: Identity | undefined

  constructor(config: Ieee20305Config, deps: Ieee20305Deps) {
    this.#config = config
    this.#deps = deps
    this.#log = deps.log.child({ stage: 'grid', source: config.name })
    const { minPollSeconds, maxPollSeconds, pollSeconds } = config
    this.#cache = new ResourceCache({ minPollSeconds, maxPollSeconds, defaultPollSeconds: pollSeconds }, deps.now)
  }

  forget(): void {
    this.#cache.clear()
  }

  close(): void {
    this.#identity?.close()
  }

  async ask(signal: AbortSignal): Promise<Answer> {
    const { now } = this.#deps
    const { url, timeoutMs, deviceCategory, currency } = this.#config
    const base = new URL(url)
    const device = await this.#device(now())
    const client = new SepClient({ base, identity: this.#identity, timeoutMs, signal })
    const rules = {
      start: url,
      device,
      deviceCategory: Number.parseInt(deviceCategory, 16),
      currency,
      flowDirection: flowDirectionOf(this.#config),
    }
    const view = await new Walk({ client, cache: this.#cache, rules, now }).run()
    const nextPollMs = this.#cache.endWalk()
    const offset = view.offsetSeconds === undefined ? 0 : view.offsetSeconds
    const serverNow = now() / 1000 + offset
    const resolved = resolveControls({ programs: view.programs, serverNow, seed: device.lfdi })
    const failure = await this.#respond(client, device, resolved, serverNow)
    const boundaryMs = (nextBoundary(resolved, serverNow) - serverNow) * 1000
    return {
      picture: pictureOf(this.#config.name, view, resolved, { offset, nowSeconds: now() / 1000 }),
      nextMs: Math.max(50, Math.min(nextPollMs, boundaryMs, failure === undefined ? Infinity : RETRY_MS)),
      problems: [...view.problems, ...this.#clockProblems(view), ...this.#certificateProblems(), ...(failure ?? [])],
      figures: { programs: view.programs.length, lfdi: device.lfdi, 'clock offset seconds': Math.round(offset) },
    }
  }

  /** A renewed certificate is another device to the server; everything is asked for anew. */
  async #device(nowMs: number): Promise<DeviceId> {
    const { certFile, keyFile, caFile, ciphers, checkServerName, lfdi } = this.#config
    if (certFile === undefined || keyFile === undefined || caFile === undefined) {
      return { lfdi: lfdi ?? '', sfdi: -1 }
    }
    const loaded = await loadIdentity({ certFile, keyFile, caFile, ciphers, checkServerName }, nowMs)
    if (this.#identity?.fingerprint === loaded.fingerprint) {
      loaded.close()
      return this.#identity
    }
    this.#identity?.close()
    this.#identity = loaded
    this.#cache.clear()
    return loaded
  }

  /** Posts what is due; what fails waits for the next look. */
  async #respond(
    client: SepClient,
    device: DeviceId,
    resolved: readonly ResolvedControl[],
    serverNow: number,
  ): Promise<SourceProblem[] | undefined> {
    const { metrics } = this.#deps
    const source = this.#config.name
    for (const event of resolved) {
      for (const response of this.#book.due(event, serverNow)) {
        this.#book.markTold(response)
        this.#waiting.push(response)
      }
    }
    while (this.#waiting.length > MAX_WAITING_RESPONSES) {
      const dropped = this.#waiting.shift()!
      metrics.responses.inc({ source, outcome: 'dropped' })
      this.#log.error({ code: 'GRID_RESPONSE_DROPPED', ...dropped }, 'too many responses wait for the server')
    }
    while (this.#waiting.length > 0) {
      const [response] = this.#waiting
      if (response === undefined) break
      try {
        await client.post(response.replyTo, responseXml(response, device.lfdi))
        metrics.responses.inc({ source, outcome: 'posted' })
      } catch (error) {
        metrics.responses.inc({ source, outcome: 'failed' })
        const status = isBackfeedError(error, 'GRID_REQUEST_REFUSED') ? Number(error.details.status) : 0
        const message = `response ${response.status} to ${response.subject}: ${describeError(error)}`
        // A server that says no will say no again.
        const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429
        if (!isFinal) return [{ code: 'GRID_RESPONSE_WAITS', message: `${this.#waiting.length} wait; ${message}` }]
        this.#log.error({ code: 'GRID_RESPONSE_REFUSED', err: error }, message)
      }
      this.#waiting.shift()
    }
    return undefined
  }

  #clockProblems(view: SepView): SourceProblem[] {
    const { offsetSeconds } = view
    if (offsetSeconds === undefined || Math.abs(offsetSeconds) <= this.#config.clockToleranceSeconds) return []
    const message = `the server's clock is ${Math.round(offsetSeconds)} s off ours`
    return [{ code: 'GRID_CLOCK_OFF', message }]
  }

  #certificateProblems(): SourceProblem[] {
    const validToMs = this.#identity?.validToMs
    if (validToMs === undefined || validToMs - this.#deps.now() > EXPIRES_SOON_MS) return []
    const message = `${this.#config.certFile} expires ${new Date(validToMs).toISOString()}`
    return [{ code: 'CERTIFICATE_EXPIRES_SOON', message }]
  }
}

function nextBoundary(resolved: readonly ResolvedControl[], serverNow: number): number {
  const times = resolved.flatMap(({ effective, ended, setPoints }) => [
    effective.start,
    effective.end,
    ...(ended === undefined ? [] : [ended.at]),
    ...setPoints.flatMap((point) => [point.effective.start, point.effective.end]),
  ])
  return Math.min(...times.filter((time) => time > serverNow))
}

/** Settlement periods are of UTC, so `nominal` is taken as the server says it; devices move by this machine's clock. */
function pictureOf(
  source: string,
  view: SepView,
  resolved: readonly ResolvedControl[],
  at: { offset: number; nowSeconds: number },
): GridPicture {
  const kept = (span: Span): boolean =>
    span.end > at.nowSeconds - KEPT_PAST_SECONDS && span.start < at.nowSeconds + KEPT_AHEAD_SECONDS
  const toOurClock = (span: Span): Span => ({ start: span.start - at.offset, end: span.end - at.offset })
  const events = resolved
    .filter(({ control, effective }) => kept(control.interval) || kept(effective))
    .map(
      ({ control, program, state, setPoints }): GridEvent => ({
        source,
        id: control.mrid,
        description: control.description,
        state,
        primacy: program.primacy,
        controls: setPoints.map((point) => ({ ...point, effective: toOurClock(point.effective) })),
      }),
    )
  return {
    isKnown: true,
    events: [...events, ...view.programs.flatMap((program) => defaultEvent(source, program, at.nowSeconds))],
    prices: view.prices.filter(kept),
  }
}

/** Limits that hold while no event does. They are no event of the grid: nothing is paid by them. */
function defaultEvent(source: string, program: SepView['programs'][number], nowSeconds: number): GridEvent[] {
  const span = { start: nowSeconds - KEPT_PAST_SECONDS, end: nowSeconds + KEPT_AHEAD_SECONDS }
  const controls = program.defaults
    .map(([kind, value]): Control => ({ kind, value, nominal: span, effective: span }))
    .filter((control) => !asksForDischarge(control))
  if (controls.length === 0) return []
  return [
    {
      source,
      id: `default/${program.program.mrid}`,
      description: program.description,
      state: 'active',
      primacy: DEFAULT_PRIMACY + program.program.primacy,
      controls,
    },
  ]
}
