import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'

export type DeliveryMetrics = ReturnType<typeof deliveryMetrics>

export function deliveryMetrics(metrics: Metrics) {
  return {
    requests: metrics.counter({
      name: 'delivery_requests_total',
      help: 'requests to sequencers: RESULTS, or why there were none',
      labels: ['lane', 'outcome'],
    }),
    records: metrics.counter({
      name: 'delivery_records_total',
      help: 'final answers by their result',
      labels: ['lane', 'result'],
    }),
    seconds: metrics.histogram({
      name: 'delivery_request_seconds',
      help: 'from sending to answers that were checked',
      labels: ['lane'],
      buckets: SECONDS_BUCKETS,
    }),
    held: metrics.gauge({
      name: 'delivery_held_evses',
      help: 'EVSEs whose next record waits for a refusal to heal or a receipt to be believed',
      labels: ['lane'],
    }),
    unverified: metrics.counter({
      name: 'delivery_unverified_total',
      help: 'answers that were not believed',
      labels: ['lane', 'fault'],
    }),
  }
}
