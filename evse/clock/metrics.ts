import type { Metrics } from '../../runtime/metrics.ts'

export type ClockMetrics = ReturnType<typeof clockMetrics>

export function clockMetrics(metrics: Metrics) {
  return {
    trusted: metrics.gauge({ name: 'clock_trusted', help: '1 while the clock may be signed by' }),
    offset: metrics.gauge({ name: 'clock_offset_seconds', help: 'source minus ours, at the last reading' }),
    error: metrics.gauge({ name: 'clock_error_seconds', help: 'what the last reading may be off by' }),
    unchecked: metrics.gauge({ name: 'clock_unchecked_seconds', help: 'since the last good reading' }),
    checks: metrics.counter({ name: 'clock_checks_total', help: 'readings of the source', labels: ['outcome'] }),
  }
}
