import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'

export type MqttMetrics = ReturnType<typeof mqttMetrics>

export function mqttMetrics(metrics: Metrics) {
  return {
    up: metrics.gauge({ name: 'mqtt_up', help: 'Whether a connection to the broker stands', labels: ['connection'] }),
    evsesOnline: metrics.gauge({ name: 'mqtt_evses_online', help: 'EVSEs that say they are online' }),
    messages: metrics.counter({ name: 'mqtt_messages_total', help: 'Messages from EVSEs', labels: ['channel'] }),
    faults: metrics.counter({ name: 'mqtt_faults_total', help: 'Messages refused', labels: ['channel', 'code'] }),
    rows: metrics.counter({
      name: 'mqtt_rows_total',
      help: 'Signed records that were put into the outbox, repeats included',
    }),
    takeSeconds: metrics.histogram({
      name: 'mqtt_records_take_seconds',
      help: 'From a records message to its acknowledgement',
      buckets: SECONDS_BUCKETS,
    }),
    answers: metrics.counter({
      name: 'mqtt_answers_total',
      help: 'Answers to records: the broker has them, or they were dropped and the EVSE asks again',
      labels: ['outcome'],
    }),
    telemetryAge: metrics.histogram({
      name: 'mqtt_telemetry_age_seconds',
      help: 'Age of telemetry at its arrival',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 5],
    }),
    telemetryMissed: metrics.counter({
      name: 'mqtt_telemetry_missed_total',
      help: 'Telemetry lost on the way, by gaps of seq',
    }),
    commands: metrics.counter({
      name: 'mqtt_commands_total',
      help: 'Commands, by what came of them',
      labels: ['answer'],
    }),
    commandSeconds: metrics.histogram({
      name: 'mqtt_command_seconds',
      help: 'From a command to its answer',
      buckets: SECONDS_BUCKETS,
    }),
  }
}
