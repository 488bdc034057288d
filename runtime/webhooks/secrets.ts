import { BackfeedError, ExitCode } from '../errors.ts'
import { readSecretFile } from '../secretFile.ts'
import type { WebhookConfig } from './config.ts'
import { MAX_SECRET_FILE_BYTES } from './limits.ts'
import { parseSecret } from './signature.ts'

/** What a receiver knows us by. */
export interface WebhookSecrets {
  readonly signing: readonly Uint8Array[]
  readonly authToken: string | undefined
}

/**
 * The first line of each file.
 * @throws BackfeedError ERR_AUTH_EXPIRED (reason PERMISSIONS), WEBHOOK_SECRET_UNREADABLE; the message names the key
 */
export function readWebhookSecrets({ name, secretFiles, authTokenFile }: WebhookConfig): WebhookSecrets {
  const signing = secretFiles.map((path, i) => {
    const key = `webhooks (${name}).secretFiles[${i}]`
    const secret = parseSecret(firstLine(path, key))
    if (secret === undefined) throw unreadable(`${key}: ${path} holds no secret: whsec_ and base64 of 24 to 64 bytes`)
    return secret
  })
  if (authTokenFile === undefined) return { signing, authToken: undefined }
  const key = `webhooks (${name}).authTokenFile`
  const authToken = firstLine(authTokenFile, key)
  // Of RFC 6750, and nothing that could begin another header.
  if (/^[\x21-\x7e]+$/.test(authToken)) return { signing, authToken }
  throw unreadable(`${key}: ${authTokenFile} holds no token: printable ASCII without spaces`)
}

function firstLine(path: string, key: string): string {
  const rules = { unreadable: 'WEBHOOK_SECRET_UNREADABLE', key, isOurs: true, maxBytes: MAX_SECRET_FILE_BYTES }
  return readSecretFile(path, rules).toString('utf8').split(/\r?\n/, 1)[0]!.trim()
}

function unreadable(message: string): BackfeedError {
  return new BackfeedError('WEBHOOK_SECRET_UNREADABLE', message, { exitCode: ExitCode.usage })
}
