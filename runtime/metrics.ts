import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface MetricText<Label extends string> {
  /** Without the `backfeed_` prefix, unit last: `batch_bytes`, `tx_wait_seconds`. */
  name: string
  help: string
  labels?: readonly Label[]
}

/**
 * One per process. A stage defines its metrics where it is, through this, and is the only one to increment them.
 */
export interface Metrics {
  readonly registry: Registry
  counter<Label extends string = never>(text: MetricText<Label>): Counter<Label>
  gauge<Label extends string = never>(text: MetricText<Label>): Gauge<Label>
  histogram<Label extends string = never>(text: MetricText<Label> & { buckets: readonly number[] }): Histogram<Label>
  /** Prometheus text format. */
  text(): Promise<string>
  readonly contentType: string
}

export interface MetricsSettings {
  service: string
  /** CPU, memory, event-loop lag of the process. Default true; false in tests and in all but one service of a process. */
  process?: boolean
}

export function createMetrics(settings: MetricsSettings): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service: settings.service })
  if (settings.process ?? true) collectDefaultMetrics({ register: registry })
  const common = <Label extends string>(text: MetricText<Label>) => ({
    name: `backfeed_${text.name}`,
    help: text.help,
    labelNames: [...(text.labels ?? [])],
    registers: [registry],
  })
  return {
    registry,
    contentType: registry.contentType,
    counter: (text) => new Counter(common(text)),
    gauge: (text) => new Gauge(common(text)),
    histogram: (text) => new Histogram({ ...common(text), buckets: [...text.buckets] }),
    text: () => registry.metrics(),
  }
}

/** Waits from a millisecond to a minute. */
export const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const
