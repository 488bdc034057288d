import type { Metrics } from '../../runtime/metrics.ts'

export interface CommitMetrics {
  posted(index: number): void
  final(index: number): void
  failed(code: string): void
  redated(): void
  followed(): void
}

export function commitMetrics(metrics: Metrics): (lane: number) => CommitMetrics {
  const posted = metrics.gauge({ name: 'commit_posted_index', help: 'Newest batch on L1.', labels: ['lane'] })
  const final = metrics.gauge({ name: 'commit_final_index', help: 'Newest batch past its window.', labels: ['lane'] })
  const failures = metrics.counter({
    name: 'commit_failures_total',
    help: 'Posts that failed and are tried again, by reason.',
    labels: ['lane', 'code'],
  })
  const redatings = metrics.counter({
    name: 'commit_redatings_total',
    help: 'Times that batches were too old for L1 and were dated anew.',
    labels: ['lane'],
  })
  const followed = metrics.counter({
    name: 'commit_followed_total',
    help: "Others' batches of forced records that ours follow.",
    labels: ['lane'],
  })
  return (laneNumber) => {
    const lane = String(laneNumber)
    return {
      posted: (index) => posted.set({ lane }, index),
      final: (index) => final.set({ lane }, index),
      failed: (code) => failures.inc({ lane, code }),
      redated: () => redatings.inc({ lane }),
      followed: () => followed.inc({ lane }),
    }
  }
}
