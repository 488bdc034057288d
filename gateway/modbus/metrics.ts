import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'

export type ModbusMetrics = ReturnType<typeof modbusMetrics>

export function modbusMetrics(metrics: Metrics) {
  return {
    reads: metrics.counter({
      name: 'modbus_reads_total',
      help: 'Requests by outcome: OK, or the code of what went wrong',
      labels: ['device', 'outcome'],
    }),
    readSeconds: metrics.histogram({
      name: 'modbus_read_seconds',
      help: 'From a request to its answer',
      labels: ['device'],
      buckets: SECONDS_BUCKETS,
    }),
    telemetry: metrics.counter({
      name: 'modbus_telemetry_total',
      help: 'Telemetry handed to guards',
      labels: ['device'],
    }),
    dropped: metrics.counter({
      name: 'modbus_dropped_total',
      help: 'Values that were not believed',
      labels: ['device', 'code'],
    }),
    up: metrics.gauge({ name: 'modbus_up', help: '1: the device answers', labels: ['device'] }),
  }
}
