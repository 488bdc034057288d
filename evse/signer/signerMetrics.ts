import type { Counter, Gauge, Histogram } from 'prom-client'
import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'

/** One for all signers of a process. */
export interface SignerMetrics {
  readonly signatures: Counter<'kind' | 'outcome'>
  readonly seconds: Histogram<'kind'>
  readonly certificateEnd: Gauge<'key'>
  readonly hsmRecoveries: Counter<'outcome'>
}

export function createSignerMetrics(metrics: Metrics): SignerMetrics {
  return {
    signatures: metrics.counter({
      name: 'signer_signatures_total',
      help: 'Signatures asked for, by kind of key (file, pkcs11) and outcome (ok, or the error’s code).',
      labels: ['kind', 'outcome'],
    }),
    seconds: metrics.histogram({
      name: 'signer_signature_seconds',
      help: 'From asking to having the signature, waiting included.',
      labels: ['kind'],
      buckets: SECONDS_BUCKETS,
    }),
    certificateEnd: metrics.gauge({
      name: 'signer_certificate_end_timestamp_seconds',
      help: 'When the key’s certificate ends, Unix time.',
      labels: ['key'],
    }),
    hsmRecoveries: metrics.counter({
      name: 'signer_hsm_recoveries_total',
      help: 'Attempts to get a lost token back, by outcome (ok, failed).',
      labels: ['outcome'],
    }),
  }
}
