import { outcomeNames } from '../../protocol/outcome.ts'
import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'
import type { MicroBatch } from './microBatch.ts'

export interface SequenceMetrics {
  written(works: number, micro: MicroBatch, seconds: number): void
  writeFailed(): void
  duplicate(): void
  /** Forced records, counted by outcome. */
  forced(outcomes: Uint32Array): void
}

export function sequenceMetrics(metrics: Metrics): (lane: number) => SequenceMetrics {
  const outcomes = metrics.counter({
    name: 'sequence_rows_total',
    help: 'Rows judged, by outcome; SETTLED ones are durable.',
    labels: ['lane', 'outcome'],
  })
  const forced = metrics.counter({
    name: 'sequence_forced_total',
    help: 'Records taken from the forced queue on L1, by outcome.',
    labels: ['lane', 'outcome'],
  })
  const writes = metrics.counter({
    name: 'sequence_writes_total',
    help: 'Synchronous journal writes.',
    labels: ['lane'],
  })
  const failures = metrics.counter({
    name: 'sequence_write_failures_total',
    help: 'Journal writes that failed and were rolled back.',
    labels: ['lane'],
  })
  const duplicates = metrics.counter({
    name: 'sequence_duplicates_total',
    help: 'OVERLAP rows that were accepted before, byte for byte.',
    labels: ['lane'],
  })
  const seconds = metrics.histogram({
    name: 'sequence_durable_seconds',
    help: 'From taking a submission in until it is durable (the oldest of each write).',
    labels: ['lane'],
    buckets: SECONDS_BUCKETS,
  })
  const rows = metrics.histogram({
    name: 'sequence_write_rows',
    help: 'Accepted rows of one write.',
    labels: ['lane'],
    buckets: [1, 16, 64, 256, 1024, 4096],
  })
  return (laneNumber) => {
    const lane = String(laneNumber)
    return {
      written(_works, micro, elapsed) {
        for (const [i, outcome] of outcomeNames.entries()) {
          const count = micro.outcomes[i]!
          if (count > 0) outcomes.inc({ lane, outcome }, count)
        }
        writes.inc({ lane })
        seconds.observe({ lane }, elapsed)
        rows.observe({ lane }, micro.accepted)
      },
      forced(counts) {
        for (const [i, outcome] of outcomeNames.entries()) {
          if (counts[i]! > 0) forced.inc({ lane, outcome }, counts[i]!)
        }
      },
      writeFailed: () => failures.inc({ lane }),
      duplicate: () => duplicates.inc({ lane }),
    }
  }
}
