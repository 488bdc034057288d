import { createHmac } from 'node:crypto'

// Standard Webhooks (standardwebhooks.com, specification 1.0): what a receiver knows us by.
//
//   webhook-id          the event's id, the same at each try
//   webhook-timestamp   seconds, of this try
//   webhook-signature   `v1,` base64(HMAC-SHA256(secret, id.timestamp.body)) of each secret, parted by spaces

const PREFIX = 'whsec_'
/** Of the specification. */
const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64

export interface SignedMessage {
  readonly id: string
  readonly body: string
  /** Seconds. */
  readonly timestamp: number
}

/** The bytes of `whsec_…`; undefined for what is no secret of 24 to 64 bytes. */
export function parseSecret(text: string): Buffer | undefined {
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : ''
  const secret = Buffer.from(encoded, 'base64')
  const isWhole = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded) && secret.toString('base64') === encoded
  return isWhole && secret.length >= MIN_SECRET_BYTES && secret.length <= MAX_SECRET_BYTES ? secret : undefined
}

export function signatureHeaders(secrets: readonly Uint8Array[], message: SignedMessage): Record<string, string> {
  const { id, timestamp, body } = message
  const signatures = secrets.map((secret) => {
    const mac = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`, 'utf8')
    return `v1,${mac.digest('base64')}`
  })
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  }
}
