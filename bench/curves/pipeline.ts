import { REQUEST_RECORDS } from '../feeder.ts'
import { openP256 } from '../p256.ts'
import { LIBP2P_MAX_STREAM_REQUESTS } from '../../sequencer/limits.ts'
import type { Curve, Panel } from './curve.ts'

// P-256 records over libp2p to durable answers, as the benchmark `p256-libp2p`, beside bare loops of crypto.verify.

const CONNECTIONS = 4
/** Requests of 256 of each connection, a round. */
const FULL = 8
const QUICK = 4
/** What a round of 256s has under way. */
const IN_FLIGHT_RECORDS = 4 * REQUEST_RECORDS

const rates: Panel = {
  title: 'Records a second',
  series: [
    { figure: 'barePerSecond', label: 'limit: crypto.verify alone', role: 'limit' },
    { figure: 'recordsPerSecond', label: 'from the wire to durable answers', role: 'real' },
  ],
}
const ratio: Panel = {
  title: 'CPU of the limit over that of the pipeline',
  limitIsOne: true,
  series: [{ figure: 'cpu', label: 'ratio', role: 'also' }],
}

export const evsesKeys: Curve = {
  name: 'evses-keys',
  title: 'The whole pipeline, by the number of EVSEs with keys of their own',
  x: { label: 'EVSEs, and as many public keys', isLog: true, values: [1_000, 4_000, 10_000] },
  panels: [
    {
      title: 'Records a CPU second',
      series: [
        { figure: 'barePerCpuSecond', label: 'limit: crypto.verify with as many keys', role: 'limit' },
        { figure: 'recordsPerCpuSecond', label: 'from the wire to durable answers', role: 'real' },
      ],
    },
    ratio,
  ],
  open: (x, { quick }) =>
    openP256({
      kind: 'libp2p',
      evses: x,
      connections: CONNECTIONS,
      inFlight: IN_FLIGHT_RECORDS / REQUEST_RECORDS,
      requestsEach: quick ? QUICK : FULL,
      recordsEach: REQUEST_RECORDS,
    }),
}

export const workers: Curve = {
  name: 'workers',
  title: 'The whole pipeline, by the threads that verify',
  x: { label: 'verifying threads, as many in the limit', isLog: false, values: [1, 2, 3, 4] },
  panels: [
    rates,
    ratio,
    {
      title: 'Cores that one main thread could keep busy, by the CPU of its records',
      series: [{ figure: 'feedsCores', label: 'cores', role: 'real' }],
    },
  ],
  open: (x, { evses, quick }) =>
    openP256({
      kind: 'libp2p',
      evses,
      connections: CONNECTIONS,
      inFlight: IN_FLIGHT_RECORDS / REQUEST_RECORDS,
      requestsEach: quick ? QUICK : FULL,
      recordsEach: REQUEST_RECORDS,
      threads: x,
    }),
}

export const requests: Curve = {
  name: 'batch-requests',
  title: 'The whole pipeline, by the records of one request',
  x: { label: 'records of one request', isLog: true, values: [1, 4, 16, 64, 256] },
  panels: [
    {
      title: 'µs of CPU a record',
      series: [
        { figure: 'bareCpuMicros', label: 'limit: crypto.verify alone', role: 'limit' },
        { figure: 'cpuMicros', label: 'from the wire to durable answers, all threads', role: 'real' },
        { figure: 'mainThreadMicros', label: 'its main thread', role: 'also' },
      ],
    },
    ratio,
    rates,
  ],
  open: (x, { evses, quick }) =>
    openP256({
      kind: 'libp2p',
      evses,
      connections: CONNECTIONS,
      inFlight: Math.min(LIBP2P_MAX_STREAM_REQUESTS, IN_FLIGHT_RECORDS / x),
      requestsEach: requestsOf(x, quick ? QUICK : FULL),
      recordsEach: x,
    }),
}

/** As many records as with full requests, but small ones cost more: never so many that a round of them takes much longer. */
function requestsOf(recordsEach: number, full: number): number {
  return Math.min((full * REQUEST_RECORDS) / recordsEach, full * 64)
}
