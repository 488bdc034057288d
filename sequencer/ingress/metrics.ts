import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'

export type Transport = 'http' | 'libp2p'

/** Defined and incremented by ingress alone. */
export interface IngressMetrics {
  requests(transport: Transport, bytes: number): void
  refused(transport: Transport, reason: string): void
  records(transport: Transport, result: string, count: number): void
  answered(transport: Transport, seconds: number): void
  streamOpened(): void
  streamClosed(): void
}

export function createIngressMetrics(metrics: Metrics, inFlight: () => number): IngressMetrics {
  const labels = ['transport'] as const
  const requests = metrics.counter({
    name: 'ingress_requests_total',
    help: 'Requests admitted to the pipeline',
    labels,
  })
  const bytes = metrics.counter({ name: 'ingress_bytes_total', help: 'Bytes of signed records admitted', labels })
  const refused = metrics.counter({
    name: 'ingress_refused_total',
    help: 'Requests refused as a whole, by reason',
    labels: ['transport', 'reason'],
  })
  const records = metrics.counter({
    name: 'ingress_records_total',
    help: 'Records answered, by result',
    labels: ['transport', 'result'],
  })
  const seconds = metrics.histogram({
    name: 'ingress_answer_seconds',
    help: 'From admission to the durable answer',
    labels,
    buckets: SECONDS_BUCKETS,
  })
  const streams = metrics.gauge({ name: 'ingress_streams', help: 'Open libp2p record streams' })
  const flight = metrics.gauge({ name: 'ingress_records_in_flight', help: 'Records admitted and not yet answered' })
  Object.assign(flight, { collect: () => flight.set(inFlight()) })
  // Bound to their labels once: looking a label set up costs more than counting.
  const bound = {
    http: { requests: requests.labels('http'), bytes: bytes.labels('http'), seconds: seconds.labels('http') },
    libp2p: { requests: requests.labels('libp2p'), bytes: bytes.labels('libp2p'), seconds: seconds.labels('libp2p') },
  }
  return {
    requests: (transport, size) => {
      bound[transport].requests.inc()
      bound[transport].bytes.inc(size)
    },
    refused: (transport, reason) => refused.inc({ transport, reason }),
    records: (transport, result, count) => records.inc({ transport, result }, count),
    answered: (transport, elapsed) => bound[transport].seconds.observe(elapsed),
    streamOpened: () => streams.inc(),
    streamClosed: () => streams.dec(),
  }
}
