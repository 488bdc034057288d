import type { Metrics } from '../../runtime/metrics.ts'
import { SECONDS_BUCKETS } from '../../runtime/metrics.ts'

/** From 10 µs: a decision is a few microseconds of arithmetic, and milliseconds only when the process is busy. */
const DECISION_BUCKETS = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, ...SECONDS_BUCKETS] as const

export type GuardMetrics = ReturnType<typeof guardMetrics>

export function guardMetrics(metrics: Metrics) {
  return {
    telemetry: metrics.counter({ name: 'control_telemetry_total', help: 'Telemetry taken by guards' }),
    unknown: metrics.counter({
      name: 'control_unknown_total',
      help: 'Telemetry and demands for EVSEs that have no guard',
    }),
    decision: metrics.histogram({
      name: 'control_decision_seconds',
      help: 'From the arrival of telemetry to the decision, its command handed to the port',
      buckets: DECISION_BUCKETS,
    }),
    reaction: metrics.histogram({
      name: 'control_reaction_seconds',
      help: 'From the moment of measuring to the command that it led to, handed to the port',
      buckets: SECONDS_BUCKETS,
    }),
    wakeLate: metrics.histogram({
      name: 'control_wake_late_seconds',
      help: 'How much later than due guards were woken: the process was busy',
      buckets: DECISION_BUCKETS,
    }),
    commands: metrics.counter({
      name: 'control_commands_total',
      help: 'Commands by kind and by what led to them',
      labels: ['kind', 'why'],
    }),
    answers: metrics.counter({ name: 'control_answers_total', help: 'Answers to commands', labels: ['answer'] }),
    commandSeconds: metrics.histogram({
      name: 'control_command_seconds',
      help: 'From handing a command to the port to its answer',
      buckets: SECONDS_BUCKETS,
    }),
    flags: metrics.gauge({ name: 'control_flags', help: 'EVSEs with a flag', labels: ['code'] }),
    raised: metrics.counter({ name: 'control_flags_raised_total', help: 'Times a flag came up', labels: ['code'] }),
    modes: metrics.gauge({ name: 'control_evses', help: 'EVSEs by the mode of their guard', labels: ['mode'] }),
    limitWatts: metrics.gauge({ name: 'control_limit_watts', help: 'Sum of the limits that were sent' }),
    powerWatts: metrics.gauge({
      name: 'control_power_watts',
      help: 'Sum of the powers that were metered lately, positive: into the grid',
    }),
  }
}
