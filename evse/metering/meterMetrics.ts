import type { Metrics } from '../../runtime/metrics.ts'

export type MeterMetrics = ReturnType<typeof meterMetrics>

/** Defined once a process; the metering book alone changes them. */
export function meterMetrics(metrics: Metrics) {
  return {
    events: metrics.counter({
      name: 'metering_events_total',
      help: 'Meter events by what became of them: taken, repeated, refused',
      labels: ['result'],
    }),
    takeSeconds: metrics.histogram({
      name: 'metering_take_seconds',
      help: 'From a meter event’s arrival until it is on disk',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    }),
    signedWh: metrics.counter({ name: 'metering_signed_wh_total', help: 'Energy of records put into the outbox, Wh' }),
    signedRecords: metrics.counter({ name: 'metering_signed_records_total', help: 'Records put into the outbox' }),
    withheldWh: metrics.counter({
      name: 'metering_withheld_wh_total',
      help: 'Energy put aside instead of signed, Wh, by reason',
      labels: ['code'],
    }),
    signFailures: metrics.counter({
      name: 'metering_sign_failures_total',
      help: 'Tries to sign or store records that failed, and are made again',
      labels: ['code'],
    }),
    waitingDrafts: metrics.gauge({ name: 'metering_waiting_drafts', help: 'Finished spans that are not signed yet' }),
    heldEvents: metrics.gauge({ name: 'metering_held_events', help: 'Meter events that wait for a missing one' }),
    evidenceBytes: metrics.gauge({
      name: 'metering_evidence_bytes',
      help: 'Signed meter values kept for disputes, bytes',
    }),
  }
}
