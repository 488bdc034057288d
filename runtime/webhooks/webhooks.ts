import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Component } from '../service.ts'
import type { WebhookConfig } from './config.ts'
import { type QueuedEvent, queuedEvent, type WebhookEvent } from './event.ts'
import { EventQueue, QUEUES } from './eventQueue.ts'
import { type WebhookMetrics, webhookMetrics } from './metrics.ts'
import { readWebhookSecrets } from './secrets.ts'
import { Subscriber, type WebhookProblem } from './subscriber.ts'
import type { Noted, WebhookStore } from './webhookStore.ts'

export interface WebhooksSettings {
  readonly webhooks: readonly WebhookConfig[]
  readonly store: WebhookStore
  /** Wall clock, milliseconds. Default: the system's, whatever else the process goes by: receivers compare it with theirs. */
  readonly now?: () => number
  readonly monotonicMs?: () => number
  readonly random?: () => number
  readonly log: Logger
  readonly metrics: Metrics
}

/** One receiver, for people. */
export interface WebhookStatus {
  readonly name: string
  readonly queued: number
  readonly bytes: number
  readonly maxBytes: number
  /** 0 when none waits. */
  readonly oldestSeconds: number
  /** ISO 8601; absent before the first since the start. */
  readonly lastAcknowledged?: string
  readonly problems: readonly WebhookProblem[]
}

/**
 * Reads secrets, and what waits.
 * @throws BackfeedError ERR_AUTH_EXPIRED, WEBHOOK_SECRET_UNREADABLE, DATA_CORRUPTED, STORE_FAILED
 */
export async function openWebhooks(settings: WebhooksSettings): Promise<Webhooks> {
  const secrets = settings.webhooks.map((config) => readWebhookSecrets(config))
  const measured = webhookMetrics(settings.metrics)
  const log = settings.log.child({ stage: 'webhooks' })
  const subscribers = new Map<string, Subscriber>()
  for (const [i, config] of settings.webhooks.entries()) {
    const queue = new EventQueue({
      store: settings.store,
      name: config.name,
      maxBytes: config.maxBytes,
      onDropped: ({ id, type, subject }) => {
        measured.dropped.inc({ webhook: config.name })
        log.error({ webhook: config.name, event: id, type, subject }, `${config.name}: dropped, its queue is full`)
      },
    })
    await queue.load()
    const { now = Date.now, monotonicMs = () => performance.now(), random = Math.random } = settings
    const shared = { now, monotonicMs, random, log, metrics: measured }
    subscribers.set(config.name, new Subscriber({ ...shared, config, secrets: secrets[i]!, queue }))
  }
  const orphans = new Set<string>()
  for await (const [key] of settings.store.entries(QUEUES)) orphans.add(key.slice(QUEUES.length).split('/')[0]!)
  for (const name of orphans) {
    if (subscribers.has(name)) continue
    log.warn({ webhook: name }, `events wait for ${name}, which is not configured any more: they are kept`)
  }
  return new Webhooks(settings, subscribers, measured)
}

/** What receivers are told, on disk until they acknowledge it. */
export class Webhooks implements Component {
  readonly name = 'webhooks'
  readonly #settings: WebhooksSettings
  readonly #subscribers: ReadonlyMap<string, Subscriber>
  readonly #metrics: WebhookMetrics

  constructor(settings: WebhooksSettings, subscribers: ReadonlyMap<string, Subscriber>, metrics: WebhookMetrics) {
    this.#settings = settings
    this.#subscribers = subscribers
    this.#metrics = metrics
  }

  /** For all receivers that want them: ops for the caller's write, which must not overlap with another's. */
  publish(events: readonly WebhookEvent[]): Noted {
    const queued = events.map(queuedEvent)
    return joined([...this.#subscribers.values()].map((subscriber) => this.#add(subscriber, queued)))
  }

  /** For one of them. */
  publishTo(name: string, events: readonly WebhookEvent[]): Noted {
    return this.#add(this.#subscribers.get(name)!, events.map(queuedEvent))
  }

  /** Events that wait for one of them. */
  waiting(name: string): number {
    return this.#subscribers.get(name)!.queue.count
  }

  start(): void {
    for (const subscriber of this.#subscribers.values()) subscriber.start()
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#subscribers.values()].map((subscriber) => subscriber.stop()))
  }

  status(): WebhookStatus[] {
    return this.#settings.webhooks.map(({ name, maxBytes }) => {
      const subscriber = this.#subscribers.get(name)!
      const { queue, lastAckMs } = subscriber
      return {
        name,
        queued: queue.count,
        bytes: queue.bytes,
        maxBytes,
        oldestSeconds: this.#oldestSeconds(queue),
        ...(lastAckMs !== undefined && { lastAcknowledged: new Date(lastAckMs).toISOString() }),
        problems: subscriber.problems(),
      }
    })
  }

  /** Brings gauges up to date before they are read. */
  refreshMetrics(): void {
    for (const [webhook, { queue }] of this.#subscribers) {
      this.#metrics.queued.set({ webhook }, queue.count)
      this.#metrics.bytes.set({ webhook }, queue.bytes)
      this.#metrics.oldest.set({ webhook }, this.#oldestSeconds(queue))
    }
  }

  #oldestSeconds({ oldestAtMs }: EventQueue): number {
    const { now = Date.now } = this.#settings
    return oldestAtMs === undefined ? 0 : Math.max(0, (now() - oldestAtMs) / 1_000)
  }

  #add(subscriber: Subscriber, events: readonly QueuedEvent[]): Noted {
    const wanted = events.filter(({ type }) => subscriber.wants(type))
    if (wanted.length === 0) return { ops: [], done: () => {} }
    const { ops, done } = subscriber.queue.add(wanted)
    return {
      ops,
      done: () => {
        done()
        subscriber.wake()
      },
    }
  }
}

/** Several parts of one write. */
export function joined(parts: readonly Noted[]): Noted {
  return {
    ops: parts.flatMap(({ ops }) => ops),
    done: () => {
      for (const { done } of parts) done()
    },
  }
}
