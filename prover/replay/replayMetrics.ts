import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'
import type { CheckResult } from './laneChecker.ts'

export interface ReplayTotals {
  readonly batches: number
  readonly chunks: number
  readonly records: number
  readonly settled: number
  readonly falseBatches: number
}

export interface ReplayMetrics {
  checked(lane: number, result: CheckResult, seconds: number): void
  totals(): ReplayTotals
}

export function replayMetrics(metrics: Metrics): ReplayMetrics {
  const batches = metrics.counter({
    name: 'prover_batches_total',
    help: 'Batches re-executed, by what they turned out to be',
    labels: ['lane', 'verdict'],
  })
  const chunks = metrics.counter({ name: 'prover_chunks_total', help: 'Chunks found right', labels: ['lane'] })
  const records = metrics.counter({ name: 'prover_records_total', help: 'Records of these chunks', labels: ['lane'] })
  const work = metrics.histogram({
    name: 'prover_check_seconds',
    help: 'Re-execution of a batch, without fetching it',
    buckets: [...SECONDS_BUCKETS],
  })
  const totals = { batches: 0, chunks: 0, records: 0, settled: 0, falseBatches: 0 }
  return {
    checked: (lane, result, seconds) => {
      work.observe(seconds)
      batches.inc({ lane, verdict: result.kind })
      if (result.kind === 'wrong') {
        totals.falseBatches++
        return
      }
      chunks.inc({ lane }, result.chunks)
      records.inc({ lane }, result.records)
      totals.batches++
      totals.chunks += result.chunks
      totals.records += result.records
      totals.settled += result.settled
    },
    totals: () => ({ ...totals }),
  }
}
