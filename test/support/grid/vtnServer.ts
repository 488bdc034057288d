import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { listenOnLoopback } from '../../../devnet/loopback.ts'

/** What a VTN has to tell: OpenADR 3 objects, as JSON. */
export interface VtnScript {
  programs: Readonly<Record<string, unknown>>[]
  events: Readonly<Record<string, unknown>>[]
}

export interface VtnServerSettings {
  readonly script: VtnScript
  /** Who may get a token. Absent: none is asked for. */
  readonly client?: { readonly id: string; readonly secret: string }
  /** Life of a token, seconds. */
  readonly tokenSeconds?: number
  /** 0: a free one. */
  readonly port?: number
}

export interface VtnServer extends AsyncDisposable {
  /** Base of the API. */
  readonly url: string
  /** Method and path of every request. */
  readonly requests: readonly string[]
  /** Makes every token invalid, as a restarted server does. */
  forgetTokens(): void
  close(): Promise<void>
}

const MAX_KEPT = 20_000
const MAX_PAGE = 50

/** An OpenADR 3 VTN on loopback, for the devnet and for tests: tokens, programs and events, page by page. */
export async function startVtnServer(settings: VtnServerSettings): Promise<VtnServer> {
  const { script, client } = settings
  const requests: string[] = []
  const tokens = new Set<string>()
  const respond = async (request: IncomingMessage): Promise<{ status: number; body: unknown }> => {
    const url = new URL(request.url ?? '/', 'http://server')
    requests.push(`${request.method} ${url.pathname}${url.search}`)
    if (requests.length > MAX_KEPT) requests.shift()
    if (request.method === 'POST' && url.pathname === '/auth/token') {
      if (client === undefined || !(await isClient(request, client))) return problem(401, 'invalid_client')
      const token = randomBytes(16).toString('hex')
      tokens.add(token)
      const life = settings.tokenSeconds ?? 3_600
      return { status: 200, body: { access_token: token, token_type: 'Bearer', expires_in: life } }
    }
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (client !== undefined && (token === undefined || !tokens.has(token))) return problem(401, 'no valid token')
    const lists: Readonly<Record<string, readonly unknown[]>> = {
      '/programs': script.programs,
      '/events': script.events,
    }
    const list = lists[url.pathname]
    if (request.method !== 'GET' || list === undefined) return problem(404, 'no such resource')
    const skip = Number(url.searchParams.get('skip') ?? 0)
    const limit = Math.min(Number(url.searchParams.get('limit') ?? MAX_PAGE), MAX_PAGE)
    return { status: 200, body: list.slice(skip, skip + limit) }
  }
  const server = createServer((request, response) => {
    void respond(request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  const { port, close } = await listenOnLoopback(server, settings.port)
  const forgetTokens = (): void => tokens.clear()
  return { url: `http://127.0.0.1:${port}`, requests, forgetTokens, close, [Symbol.asyncDispose]: close }
}

async function isClient(request: IncomingMessage, client: { id: string; secret: string }): Promise<boolean> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk
    if (body.length > 65_536) return false
  }
  const form = new URLSearchParams(body)
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  if (basic !== undefined) {
    // Both halves are form-encoded (RFC 6749, 2.3.1).
    const pair = [client.id, client.secret].map(encodeURIComponent).join(':')
    return Buffer.from(basic, 'base64').toString('utf8') === pair
  }
  return form.get('client_id') === client.id && form.get('client_secret') === client.secret
}

function problem(status: number, title: string): { status: number; body: unknown } {
  return { status, body: { status, title } }
}
