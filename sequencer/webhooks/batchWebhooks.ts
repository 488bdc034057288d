import type { LaneHistory } from '../../l1/derive/laneHistory.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { openWebhooks, type Webhooks, type WebhookStatus } from '../../runtime/webhooks/webhooks.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import type { Database } from '../store/database.ts'
import { webhookRows } from '../store/webhookRows.ts'
import { BatchTeller, type BatchTellerSettings } from './batchTeller.ts'

export interface BatchWebhooksSettings extends Pick<BatchTellerSettings, 'configs' | 'deployment'> {
  readonly database: Database
  readonly log: Logger
  readonly metrics: Metrics
}

/** What is read of a lane at work. */
export interface LaneAtWork {
  readonly lane: number
  readonly deriver: { readonly history: Pick<LaneHistory, 'batch' | 'fallen'> }
  readonly stage: { closedBatch(index: number): ClosedBatch | undefined }
  readonly committer: { readonly posted: number; readonly finalIndex: number }
}

/** A webhook's status, and how far it was told of each lane. */
export type BatchWebhookStatus = WebhookStatus & {
  readonly lanes: readonly { readonly lane: number; readonly toldPosted: number; readonly toldFinal: number }[]
}

/** @throws BackfeedError ERR_AUTH_EXPIRED, WEBHOOK_SECRET_UNREADABLE, DATA_CORRUPTED */
export async function openBatchWebhooks(settings: BatchWebhooksSettings): Promise<BatchWebhooks> {
  const { configs, deployment, database, metrics } = settings
  const store = webhookRows(database)
  const log = settings.log.child({ stage: 'webhooks' })
  const webhooks = await openWebhooks({ webhooks: configs, store, log: settings.log, metrics })
  const teller = new BatchTeller({ configs, deployment, webhooks, store, log })
  await teller.load()
  webhooks.start()
  return new BatchWebhooks(webhooks, teller)
}

/** Receivers that are told of batches. */
export class BatchWebhooks {
  readonly #webhooks: Webhooks
  readonly #teller: BatchTeller

  constructor(webhooks: Webhooks, teller: BatchTeller) {
    this.#webhooks = webhooks
    this.#teller = teller
  }

  /** To be called after each look at L1, never twice at a time. Never throws. */
  look({ lane, deriver, stage, committer }: LaneAtWork): Promise<void> {
    const { history } = deriver
    return this.#teller.look({
      lane,
      posted: committer.posted,
      final: committer.finalIndex,
      batch: (index) => history.batch(BigInt(index)),
      closed: (index) => stage.closedBatch(index),
      isProven: (hash) => history.fallen.some(({ headerHash }) => headerHash === hash),
    })
  }

  status(): { readonly webhooks: readonly BatchWebhookStatus[] } {
    const told = this.#teller.status()
    const webhooks = this.#webhooks.status().map((status) => {
      const lanes = told.flatMap(({ webhook, ...lane }) => (webhook === status.name ? [lane] : []))
      return { ...status, lanes }
    })
    return { webhooks }
  }

  refreshMetrics(): void {
    this.#webhooks.refreshMetrics()
  }

  async stop(): Promise<void> {
    await this.#webhooks.stop()
  }
}
