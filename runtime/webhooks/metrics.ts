import { type Metrics, SECONDS_BUCKETS } from '../metrics.ts'

export type WebhookMetrics = ReturnType<typeof webhookMetrics>

export function webhookMetrics(metrics: Metrics) {
  return {
    queued: metrics.gauge({
      name: 'webhook_queued_events',
      help: 'events that wait for their acknowledgement',
      labels: ['webhook'],
    }),
    bytes: metrics.gauge({ name: 'webhook_queued_bytes', help: 'what these take on disk', labels: ['webhook'] }),
    oldest: metrics.gauge({
      name: 'webhook_oldest_seconds',
      help: 'since the oldest of these was made; 0 when none waits',
      labels: ['webhook'],
    }),
    delivered: metrics.counter({
      name: 'webhook_delivered_total',
      help: 'events that were acknowledged',
      labels: ['webhook', 'type'],
    }),
    failed: metrics.counter({
      name: 'webhook_failed_total',
      help: 'tries without an acknowledgement: FAILED, REFUSED or GONE',
      labels: ['webhook', 'outcome'],
    }),
    dropped: metrics.counter({
      name: 'webhook_dropped_total',
      help: 'events that a full queue dropped',
      labels: ['webhook'],
    }),
    seconds: metrics.histogram({
      name: 'webhook_request_seconds',
      help: 'from sending to the answer, or to giving it up',
      labels: ['webhook'],
      buckets: SECONDS_BUCKETS,
    }),
  }
}
