import type { Metrics } from '../runtime/metrics.ts'
import type { SourceStatus } from './sourceStatus.ts'
import { unhealthy } from './status.ts'

/** Gauges that follow the status; to be called before they are read. */
export function statusMetrics(metrics: Metrics): (sources: readonly SourceStatus[]) => void {
  const up = metrics.gauge({
    name: 'gateway_source_up',
    help: '1: up, 0.5: works and something is wrong, 0: nothing comes through',
    labels: ['source'],
  })
  const problems = metrics.gauge({
    name: 'gateway_problems',
    help: 'What an operator must look at, by code of docs/gateway.md',
    labels: ['source', 'code'],
  })
  const healthy = metrics.gauge({ name: 'gateway_healthy', help: '1 while /health answers 200' })
  return (sources) => {
    problems.reset()
    for (const { name, state, problems: own } of sources) {
      up.set({ source: name }, state === 'UP' ? 1 : state === 'DEGRADED' ? 0.5 : 0)
      for (const { code } of own) problems.inc({ source: name, code })
    }
    healthy.set(unhealthy(sources).length === 0 ? 1 : 0)
  }
}
