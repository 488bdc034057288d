import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'

export interface VerifyMetrics {
  verified(rows: number, bad: number, seconds: number): void
}

export function verifyMetrics(metrics: Metrics): (scheme: string) => VerifyMetrics {
  const rowsTotal = metrics.counter({
    name: 'verify_rows_total',
    help: 'Signatures checked, by scheme and verdict.',
    labels: ['scheme', 'verdict'],
  })
  const taskSeconds = metrics.histogram({
    name: 'verify_task_seconds',
    help: 'From handing a slab to the workers until its verdicts are back.',
    labels: ['scheme'],
    buckets: SECONDS_BUCKETS,
  })
  const taskRows = metrics.histogram({
    name: 'verify_task_rows',
    help: 'Rows of a slab: small ones mean that the load is light or that gathering is too short.',
    labels: ['scheme'],
    buckets: [1, 8, 32, 64, 128, 256],
  })
  return (scheme) => ({
    verified(rows, bad, seconds) {
      rowsTotal.inc({ scheme, verdict: 'good' }, rows - bad)
      rowsTotal.inc({ scheme, verdict: 'bad' }, bad)
      taskSeconds.observe({ scheme }, seconds)
      taskRows.observe({ scheme }, rows)
    },
  })
}
