import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'

export interface BatchMetrics {
  built(rows: number, bytes: number, milliseconds: number): void
}

export function batchMetrics(metrics: Metrics): BatchMetrics {
  const rows = metrics.counter({ name: 'batch_rows_total', help: 'Rows of batches made ready for L1.' })
  const bytes = metrics.counter({ name: 'batch_data_bytes_total', help: 'Blob or calldata bytes made ready for L1.' })
  const seconds = metrics.histogram({
    name: 'batch_build_seconds',
    help: 'Laying out a batch and computing its commitments and proofs.',
    buckets: SECONDS_BUCKETS,
  })
  return {
    built(rowCount, byteCount, milliseconds) {
      rows.inc(rowCount)
      bytes.inc(byteCount)
      seconds.observe(milliseconds / 1000)
    },
  }
}
