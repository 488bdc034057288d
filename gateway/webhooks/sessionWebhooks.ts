import type { MeterBook } from '../../evse/metering/meterBook.ts'
import type { Outbox } from '../../evse/outbox/outbox.ts'
import type { EdgeStore } from '../../evse/store/edgeStore.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component } from '../../runtime/service.ts'
import { openWebhooks, type Webhooks } from '../../runtime/webhooks/webhooks.ts'
import type { Directory } from '../fleet/directory.ts'
import type { ReportsStatus, SourceProblem, SourceStatus } from '../sourceStatus.ts'
import type { SessionWebhookConfig } from './config.ts'
import type { Deployment } from './events.ts'
import { SessionAccounts } from './sessionAccounts.ts'
import { forgetSince, SessionTeller } from './sessionTeller.ts'

export interface SessionWebhooksSettings {
  readonly configs: readonly SessionWebhookConfig[]
  readonly store: EdgeStore
  readonly outbox: Pick<Outbox, 'find' | 'onAnswered'>
  readonly directory: Directory
  readonly deployment: Deployment
  readonly log: Logger
  readonly metrics: Metrics
}

/**
 * Undefined: nobody is to be told, and nothing is kept for it.
 * @throws BackfeedError ERR_AUTH_EXPIRED, WEBHOOK_SECRET_UNREADABLE, DATA_CORRUPTED, STORE_FAILED
 */
export async function openSessionWebhooks(settings: SessionWebhooksSettings): Promise<SessionWebhooks | undefined> {
  const { configs, store, outbox, directory, deployment, metrics } = settings
  if (configs.length === 0) {
    await forgetSince(store)
    return undefined
  }
  const log = settings.log.child({ stage: 'webhooks' })
  const webhooks = await openWebhooks({ webhooks: configs, store, log: settings.log, metrics })
  const teller = new SessionTeller({ store, outbox, webhooks, deployment, log })
  const onChanged = teller.changed.bind(teller)
  return new SessionWebhooks(webhooks, teller, new SessionAccounts({ directory, onChanged }))
}

/** Receivers that are told of sessions. */
export class SessionWebhooks implements Component, ReportsStatus {
  readonly name = 'webhooks'
  /** What metering and intake write for it. */
  readonly accounts: SessionAccounts
  readonly #webhooks: Webhooks
  readonly #teller: SessionTeller

  constructor(webhooks: Webhooks, teller: SessionTeller, accounts: SessionAccounts) {
    this.#webhooks = webhooks
    this.#teller = teller
    this.accounts = accounts
  }

  /** Once metering knows what is under way. */
  open(book: Pick<MeterBook, 'pending' | 'underWay'>): Promise<void> {
    return this.#teller.open(book, this.accounts)
  }

  start(): void {
    this.#webhooks.start()
  }

  /** Resolves when what is known of sessions is queued, or cannot be written. */
  settled(): Promise<void> {
    return this.#teller.settled()
  }

  async stop(): Promise<void> {
    await this.#teller.stop()
    await this.#webhooks.stop()
  }

  status(): SourceStatus {
    const all = this.#webhooks.status()
    const problems = all
      .flatMap((webhook) => webhook.problems)
      .map((problem): SourceProblem => ({ ...problem, isOutside: true }))
    return {
      name: this.name,
      state: problems.length === 0 ? 'UP' : 'DEGRADED',
      figures: {
        receivers: all.length,
        queued: all.reduce((sum, { queued }) => sum + queued, 0),
        oldest: `${Math.round(Math.max(...all.map(({ oldestSeconds }) => oldestSeconds)))} s`,
        openSessions: this.#teller.waiting,
      },
      problems,
    }
  }

  refreshMetrics(): void {
    this.#webhooks.refreshMetrics()
  }
}
