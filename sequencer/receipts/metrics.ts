import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'

export interface ReceiptMetrics {
  signed(records: number, seconds: number): void
}

export function receiptMetrics(metrics: Metrics): (lane: number) => ReceiptMetrics {
  const signatures = metrics.counter({
    name: 'receipts_signatures_total',
    help: 'Micro-batches signed.',
    labels: ['lane'],
  })
  const records = metrics.counter({
    name: 'receipts_records_total',
    help: 'Records that a signature promises a position.',
    labels: ['lane'],
  })
  const seconds = metrics.histogram({
    name: 'receipts_signed_seconds',
    help: 'From durable to signed (the oldest of each signature).',
    labels: ['lane'],
    buckets: SECONDS_BUCKETS,
  })
  return (laneNumber) => {
    const lane = String(laneNumber)
    return {
      signed: (count, elapsed) => {
        signatures.inc({ lane })
        records.inc({ lane }, count)
        seconds.observe({ lane }, elapsed)
      },
    }
  }
}
