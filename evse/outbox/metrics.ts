import type { Metrics } from '../../runtime/metrics.ts'

export type OutboxMetrics = ReturnType<typeof outboxMetrics>

export function outboxMetrics(metrics: Metrics) {
  return {
    waitingRows: metrics.gauge({ name: 'outbox_waiting_rows', help: 'signed records without a final answer' }),
    oldestWaiting: metrics.gauge({
      name: 'outbox_oldest_waiting_seconds',
      help: 'since the end of the oldest waiting record’s span; 0 when none waits',
    }),
    answeredRows: metrics.gauge({ name: 'outbox_answered_rows', help: 'answered records that are kept' }),
    bytes: metrics.gauge({ name: 'outbox_bytes', help: 'of waiting and answered records' }),
    maxBytes: metrics.gauge({ name: 'outbox_max_bytes', help: 'the configured limit' }),
    puts: metrics.counter({ name: 'outbox_puts_total', help: 'records put in, without repeats' }),
    repeats: metrics.counter({ name: 'outbox_repeats_total', help: 'records put in that were there already' }),
    dropped: metrics.counter({ name: 'outbox_dropped_total', help: 'answered records dropped to make room' }),
    full: metrics.counter({
      name: 'outbox_full_total',
      help: 'puts refused because only unanswered records were left',
    }),
  }
}
