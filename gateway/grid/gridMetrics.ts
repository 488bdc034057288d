import type { Counter, Gauge } from 'prom-client'
import type { Metrics } from '../../runtime/metrics.ts'

export interface GridMetrics {
  readonly asked: Counter<'source' | 'outcome'>
  readonly contact: Gauge<'source'>
  readonly events: Gauge<'source' | 'state'>
  readonly priced: Gauge<'source'>
  readonly refused: Counter<'source' | 'code'>
  readonly responses: Counter<'source' | 'outcome'>
}

/** Of all sources of grid events and prices in the process. */
export function gridMetrics(metrics: Metrics): GridMetrics {
  return {
    asked: metrics.counter({
      name: 'grid_asked_total',
      help: 'Polls of a source of grid events or prices, by outcome: answered, or the code of what went wrong',
      labels: ['source', 'outcome'],
    }),
    contact: metrics.gauge({
      name: 'grid_contact_timestamp_seconds',
      help: 'When the source last answered',
      labels: ['source'],
    }),
    events: metrics.gauge({ name: 'grid_events', help: 'Events known of, by state', labels: ['source', 'state'] }),
    priced: metrics.gauge({
      name: 'grid_priced_until_timestamp_seconds',
      help: 'End of the last interval that the source prices',
      labels: ['source'],
    }),
    refused: metrics.counter({
      name: 'grid_refused_total',
      help: 'Events and prices that could not be used, by code',
      labels: ['source', 'code'],
    }),
    responses: metrics.counter({
      name: 'grid_responses_total',
      help: 'Answers to the utility about its events, by outcome: posted, failed, dropped',
      labels: ['source', 'outcome'],
    }),
  }
}
