import type { AddressInfo, Socket } from 'node:net'
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify'
import type { Logger } from '../runtime/log.ts'
import { HostConnections, hostKey } from '../runtime/hostConnections.ts'
import {
  HTTP_CLOSE_TIMEOUT_MS,
  HTTP_HEADERS_TIMEOUT_MS,
  HTTP_KEEP_ALIVE_MS,
  HTTP_MAX_CONNECTIONS,
  HTTP_MAX_HEADER_BYTES,
  HTTP_MAX_HOST_CONNECTIONS,
  HTTP_REQUEST_TIMEOUT_MS,
} from './limits.ts'

/** Adds a stage's routes to the server, in a scope of their own (`app.register`) where they need parsers or hooks. */
export type Routes = (app: FastifyInstance) => void

export interface HttpServerSettings {
  host: string
  /** 0: one that is free. */
  port: number
  routes: readonly Routes[]
  log: Logger
  /** Addresses or networks of proxies whose X-Forwarded-For is believed; by default none's is. */
  trustedProxies?: readonly string[] | undefined
  limits?: Partial<HttpLimits>
}

export interface HttpLimits {
  maxConnections: number
  /** Not applied to trusted proxies' hosts when any are given. */
  maxHostConnections: number
  headersTimeoutMs: number
  requestTimeoutMs: number
  keepAliveMs: number
}

export interface HttpServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Takes no more, lets requests under way finish for 5 s, then cuts them off. */
  close(): Promise<void>
}

/** A request that failed as a whole. The code is stable; docs/api.md lists them. */
export interface HttpProblem {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly retryAfterMs?: number
}

/** Starts one HTTP/1.1 server with the routes of several stages. Every error leaves as `{code, message}`. */
export async function startHttpServer(settings: HttpServerSettings): Promise<HttpServer> {
  const limits: HttpLimits = {
    maxConnections: HTTP_MAX_CONNECTIONS,
    maxHostConnections: HTTP_MAX_HOST_CONNECTIONS,
    headersTimeoutMs: HTTP_HEADERS_TIMEOUT_MS,
    requestTimeoutMs: HTTP_REQUEST_TIMEOUT_MS,
    keepAliveMs: HTTP_KEEP_ALIVE_MS,
    ...settings.limits,
  }
  const proxies = settings.trustedProxies ?? []
  const app = fastify({
    logger: false,
    trustProxy: proxies.length === 0 ? false : [...proxies],
    bodyLimit: 1, // a stage that takes bodies brings its own parsers and limits
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 64 },
    http: {
      maxHeaderSize: HTTP_MAX_HEADER_BYTES,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    },
    clientErrorHandler: answerBrokenRequest,
    // Before any route is known, and so before the error handler.
    frameworkErrors: (error, _request, reply) => {
      void sendProblem(reply, problemOf(error))
    },
  })
  app.removeAllContentTypeParsers()
  app.server.maxConnections = limits.maxConnections
  limitHosts(app, limits.maxHostConnections, new Set(proxies))
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, { status: 404, code: 'NOT_FOUND', message: 'no such endpoint' }),
  )
  app.setErrorHandler((error: Error & { code?: string; statusCode?: number }, request, reply) => {
    const problem = problemOf(error)
    if (problem.status >= 500) settings.log.error({ err: error, route: request.routeOptions.url }, 'request failed')
    return sendProblem(reply, problem)
  })
  let closing: Promise<void> | undefined
  app.addHook('onSend', async (_request, reply) => {
    if (closing !== undefined) reply.header('connection', 'close')
  })
  for (const routes of settings.routes) routes(app)

  await app.listen({ host: settings.host, port: settings.port })
  const { port } = app.server.address() as AddressInfo
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host
  const url = `http://${host}:${port}`
  settings.log.info({ url }, 'http listening')

  const close = (): Promise<void> => {
    closing ??= closeWithin(app, HTTP_CLOSE_TIMEOUT_MS)
    return closing
  }
  return { url, port, close, [Symbol.asyncDispose]: close }
}

export function sendProblem(reply: FastifyReply, problem: HttpProblem): FastifyReply {
  const { status, code, message, retryAfterMs } = problem
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1_000)))
  return reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(retryAfterMs === undefined ? { code, message } : { code, message, retryAfterMs }))
}

function problemOf(error: Error & { code?: string; statusCode?: number }): HttpProblem {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { status: 413, code: 'BODY_TOO_LARGE', message: 'the body is longer than this endpoint takes' }
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message: 'this endpoint does not take that content type' }
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return { status: 400, code: 'BAD_LENGTH', message: 'the body is not as long as Content-Length says' }
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return { status: 414, code: 'URL_TOO_LONG', message: 'a part of the path is too long' }
    case 'FST_ERR_BAD_URL':
      return { status: 400, code: 'BAD_URL', message: 'the path is not valid' }
    default: {
      const status = error.statusCode ?? 500
      if (status < 500) return { status, code: 'BAD_REQUEST', message: error.message }
      return { status: 500, code: 'INTERNAL_FAULT', message: 'this is our fault; it was logged' }
    }
  }
}

/** Requests that never reached a route: too slow, too long headers, or not HTTP. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, code, message] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'REQUEST_TIMEOUT', 'the request did not arrive in time']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? [
            '431 Request Header Fields Too Large',
            'HEADERS_TOO_LARGE',
            `headers take at most ${HTTP_MAX_HEADER_BYTES} bytes`,
          ]
        : ['400 Bad Request', 'BAD_HTTP', 'this is not a valid HTTP/1.1 request']
  const body = JSON.stringify({ code, message })
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  )
  socket.destroySoon() // not waiting for the peer's end, which who holds on purpose never sends
}

function limitHosts(app: FastifyInstance, maxHostConnections: number, exempt: ReadonlySet<string>): void {
  const hosts = new HostConnections(maxHostConnections)
  app.server.on('connection', (socket) => {
    const address = socket.remoteAddress
    if (address === undefined || exempt.has(address)) return
    const host = hostKey(address)
    if (!hosts.tryOpen(host)) {
      socket.destroy()
      return
    }
    socket.once('close', () => hosts.close(host))
  })
}

async function closeWithin(app: FastifyInstance, timeoutMs: number): Promise<void> {
  const cutOff = setTimeout(() => app.server.closeAllConnections(), timeoutMs)
  try {
    await app.close()
  } finally {
    clearTimeout(cutOff)
  }
}
