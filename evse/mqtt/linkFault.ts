import { BackfeedError, describeError } from '../../runtime/errors.ts'

/** OpenSSL's and Node's names for a certificate whose time is over, the broker's or ours. */
const EXPIRED = /CERT_HAS_EXPIRED|ALERT_CERTIFICATE_EXPIRED/
/** CONNACK: 3.1.1 says 4 and 5, MQTT 5 134, 135 and 138. */
const REFUSED: readonly unknown[] = [4, 5, 134, 135, 138]

/** What a broken or refused connection comes to, in the project's codes. */
export function linkFault(error: Error, url: string): BackfeedError {
  const code: unknown = (error as { code?: unknown }).code
  if (error instanceof BackfeedError) return error
  if (typeof code === 'string' && EXPIRED.test(code)) {
    return new BackfeedError('ERR_AUTH_EXPIRED', `a certificate on the way to ${url} is over`, { cause: error })
  }
  if (REFUSED.includes(code) || (typeof code === 'string' && /ALERT|CERT|SELF_SIGNED|UNABLE_TO/.test(code))) {
    return new BackfeedError('MQTT_REFUSED', `the broker ${url} and we do not accept each other: ${error.message}`, {
      retryable: true,
      cause: error,
    })
  }
  return new BackfeedError('BROKER_UNREACHABLE', `no connection to ${url}: ${describeError(error)}`, {
    retryable: true,
    cause: error,
  })
}
