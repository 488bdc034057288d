import type { Counter, Gauge } from 'prom-client'
import type { Metrics } from '../../../runtime/metrics.ts'

export interface PublisherMetrics {
  readonly published: Counter<'zone'>
  readonly failed: Counter<'zone' | 'code'>
  readonly waiting: Gauge<'zone'>
  readonly late: Gauge<'zone'>
  readonly missing: Gauge<'zone'>
  readonly missed: Counter<'zone' | 'why'>
  readonly looked: Gauge<'zone'>
}

export function publisherMetrics(metrics: Metrics): PublisherMetrics {
  return {
    published: metrics.counter({
      name: 'tariff_published_periods_total',
      help: 'Periods whose price was written to L1',
      labels: ['zone'],
    }),
    failed: metrics.counter({
      name: 'tariff_failures_total',
      help: 'Looks and transactions of the publisher that failed, by code',
      labels: ['zone', 'code'],
    }),
    waiting: metrics.gauge({
      name: 'tariff_waiting_periods',
      help: 'Periods whose price differs from L1 and can still be written',
      labels: ['zone'],
    }),
    late: metrics.gauge({
      name: 'tariff_late_periods',
      help: 'Of them, those that should be on L1 by now: PRICE_LATE',
      labels: ['zone'],
    }),
    missing: metrics.gauge({
      name: 'tariff_missing_periods',
      help: 'Coming periods for which no source says a price: PRICE_MISSING',
      labels: ['zone'],
    }),
    missed: metrics.counter({
      name: 'tariff_missed_periods_total',
      help: 'Periods that froze with another price than they should have, by why: late (ours), unannounced (known too late)',
      labels: ['zone', 'why'],
    }),
    looked: metrics.gauge({
      name: 'tariff_looked_timestamp_seconds',
      help: 'When L1 and the sources were last compared',
      labels: ['zone'],
    }),
  }
}
