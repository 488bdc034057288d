import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BackfeedError, describeError, isBackfeedError } from './errors.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Component } from './service.ts'

export interface StatusServerSettings {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly metrics: Metrics
  readonly log: Logger
  /** What keeps the process from its work; empty: healthy. */
  problems(): readonly unknown[]
  /** The whole answer of the status path. */
  status(): unknown
  /** Brings gauges up to date before they are read. */
  refresh(): void
  readonly paths?: { readonly health: string; readonly status: string }
  /** What may be asked for by POST with a JSON body, by path: an operator's commands. A BackfeedError they throw is the answer. */
  readonly actions?: Readonly<Record<string, (body: unknown) => Promise<unknown>>>
}

/** Of an operator's command. */
const MAX_BODY_BYTES = 65_536
const REQUEST_TIMEOUT_MS = 5_000

/** `/healthz` (503 while something is wrong), `/status`, `/metrics`, answered from memory. For loopback or an internal network. */
export class StatusServer implements Component {
  readonly name = 'statusServer'
  readonly #settings: StatusServerSettings
  readonly #server: Server

  constructor(settings: StatusServerSettings) {
    this.#settings = settings
    const timeouts = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }
    this.#server = createServer(timeouts, (request, response) => {
      this.#answer(request).then(
        ({ code, type, body }) =>
          response.writeHead(code, { 'content-type': type, 'cache-control': 'no-store' }).end(body),
        (error: unknown) => {
          settings.log.error({ path: pathOf(request), err: error }, `not answered: ${describeError(error)}`)
          response.writeHead(500, { 'content-type': 'text/plain' }).end('failed\n')
        },
      )
    })
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `http://${address.includes(':') ? `[${address}]` : address}:${port}`
  }

  async start(): Promise<void> {
    const { host, port } = this.#settings
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, resolve)
    })
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { paths = { health: '/healthz', status: '/status' }, actions = {}, metrics, ...settings } = this.#settings
    const path = pathOf(request)
    const action = Object.hasOwn(actions, path) ? actions[path] : undefined
    if (action !== undefined) {
      if (request.method !== 'POST') return text(405, 'POST only\n')
      // Every browser sends it with a POST: a page whose name was made to point here could send JSON as well.
      if (request.headers.origin !== undefined) return text(403, 'not from a browser\n')
      return await act(action, request)
    }
    if (request.method !== 'GET') return text(405, 'GET only\n')
    if (path === paths.health) {
      const problems = settings.problems()
      return json(problems.length === 0 ? 200 : 503, { problems })
    }
    if (path === paths.status) return json(200, settings.status())
    if (path === '/metrics') {
      settings.refresh()
      return { code: 200, type: metrics.contentType, body: await metrics.text() }
    }
    return text(404, 'not found\n')
  }
}

function pathOf(request: IncomingMessage): string {
  return request.url?.split('?', 1)[0] ?? ''
}

interface Answer {
  readonly code: number
  readonly type: string
  readonly body: string
}

async function act(action: (body: unknown) => Promise<unknown>, request: IncomingMessage): Promise<Answer> {
  try {
    return json(200, await action(await readJson(request)))
  } catch (error) {
    if (!isBackfeedError(error)) throw error
    return json(error.retryable ? 503 : 400, { code: error.code, message: error.message })
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  // A page in an operator's browser can send a form to loopback, but not JSON.
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    throw new BackfeedError('BAD_REQUEST', 'the body must be application/json')
  }
  const body = await readBody(request)
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new BackfeedError('BAD_REQUEST', 'the body is not JSON', { cause })
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      length += part.length
      if (length > MAX_BODY_BYTES) {
        throw new BackfeedError('BAD_REQUEST', `a body has at most ${MAX_BODY_BYTES} bytes`)
      }
      parts.push(part)
    }
  } catch (cause) {
    if (isBackfeedError(cause)) throw cause
    throw new BackfeedError('BAD_REQUEST', 'the body did not come whole', { cause })
  }
  return Buffer.concat(parts)
}

function text(code: number, body: string): Answer {
  return { code, type: 'text/plain', body }
}

function json(code: number, value: unknown): Answer {
  const body = JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner))
  return { code, type: 'application/json', body }
}
