import { type IncomingHttpHeaders, request as httpRequest } from 'node:http'
import { type Agent, request as httpsRequest } from 'node:https'
import { BackfeedError } from '../../runtime/errors.ts'

export interface HttpQuestion {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Of https. */
  readonly agent?: Agent
  /** From the request to the last byte. */
  readonly timeoutMs: number
  /** Of the answer; a larger one is cut off and refused. */
  readonly maxBytes: number
  readonly signal?: AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

const TLS_NAMES = /^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/

/**
 * One request; redirects are not followed. Throws, all retryable:
 * GRID_UNREACHABLE (no connection, timeout), GRID_TLS_REFUSED (a certificate is not accepted, by us or by them), ERR_AUTH_EXPIRED (one of
 * them has expired), GRID_ANSWER_TOO_LARGE.
 */
export function askHttp(question: HttpQuestion): Promise<HttpAnswer> {
  const { url, method, timeoutMs, maxBytes, body } = question
  requireSafeUrl(url)
  const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(question.signal ? [question.signal] : [])])
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(httpError(url, cause))
    const options = {
      method,
      signal,
      headers: { ...question.headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
      ...(question.agent === undefined ? {} : { agent: question.agent }),
    }
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('error', fail)
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > maxBytes) {
          reject(
            new BackfeedError('GRID_ANSWER_TOO_LARGE', `${shownUrl(url)} answered with more than ${maxBytes} bytes`, {
              retryable: true,
            }),
          )
          request.destroy()
        } else chunks.push(chunk)
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      )
    })
    request.on('error', fail)
    request.end(body)
  })
}

/** Secrets and prices do not cross a network in the clear. @throws BackfeedError CONFIG_INVALID */
export function requireSafeUrl(url: URL): void {
  if (url.protocol === 'https:' || ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)) return
  throw new BackfeedError('CONFIG_INVALID', `${shownUrl(url)}: http is for this machine alone; use https`)
}

function httpError(url: URL, cause: unknown): BackfeedError {
  const name = codeOf(cause)
  const text = cause instanceof Error ? cause.message : String(cause)
  if (name === 'CERT_HAS_EXPIRED' || /certificate.expired/i.test(text)) {
    return new BackfeedError('ERR_AUTH_EXPIRED', `a certificate of the connection to ${url.host} has expired`, {
      retryable: true,
      cause,
    })
  }
  if (TLS_NAMES.test(name) || /alert|handshake|altname|certificate/i.test(text)) {
    return new BackfeedError('GRID_TLS_REFUSED', `no trusted connection to ${url.host}: ${text}`, {
      retryable: true,
      cause,
    })
  }
  const isCutOff = url.protocol === 'https:' && /ECONNRESET|EPIPE/.test(name)
  const hint = isCutOff ? ' (a server that does not accept our certificate may break off like this)' : ''
  return new BackfeedError('GRID_UNREACHABLE', `${url.host} did not answer: ${text}${hint}`, { retryable: true, cause })
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

/** Without the query, where some services put keys. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`
}
