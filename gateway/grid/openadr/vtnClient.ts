import { z } from 'zod'
import { BackfeedError } from '../../../runtime/errors.ts'
import { askHttp, type HttpAnswer, shownUrl } from '../http.ts'
import { MAX_JSON_BYTES, MAX_VTN_EVENTS, VTN_PAGE_EVENTS } from '../limits.ts'
import { readOwnKey } from '../../../evse/signer/secretFile.ts'
import type { OpenadrConfig } from './config.ts'
import { tokenSchema } from './schema.ts'

/** A token is renewed so long before it ends, and never kept longer than an hour without a stated end. */
const RENEW_BEFORE_MS = 30_000
const DEFAULT_TOKEN_MS = 3_600_000

/** Reads lists of an OpenADR 3 VTN. Keeps its token between calls. */
export class VtnClient {
  readonly #config: OpenadrConfig
  readonly #now: () => number
  #token: { value: string; untilMs: number } | undefined

  constructor(config: OpenadrConfig, now: () => number) {
    this.#config = config
    this.#now = now
  }

  /** All entries, page by page (`skip`, `limit`). An entry that the schema refuses goes to `refused`; the others are taken. */
  async list<T>(
    path: 'programs' | 'events',
    schema: z.ZodType<T>,
    context: { query?: Readonly<Record<string, string>>; refused: (why: string) => void; signal: AbortSignal },
  ): Promise<T[]> {
    const found: T[] = []
    let skip = 0
    for (;;) {
      const url = new URL(`${this.#config.url.replace(/\/+$/, '')}/${path}`)
      for (const [name, value] of Object.entries(context.query ?? {})) url.searchParams.set(name, value)
      url.searchParams.set('skip', String(skip))
      url.searchParams.set('limit', String(VTN_PAGE_EVENTS))
      const page = z.array(z.unknown()).safeParse(await this.#get(url, context.signal))
      if (!page.success) throw invalidAnswer(url, 'no list')
      for (const entry of page.data) {
        const parsed = schema.safeParse(entry)
        if (parsed.success) found.push(parsed.data)
        else
          context.refused(
            `${path}[${skip + page.data.indexOf(entry)}]: ${z.prettifyError(parsed.error).split('\n')[0]}`,
          )
      }
      skip += page.data.length
      // The last page is short; one that is too long comes from a server that does not page.
      if (page.data.length !== VTN_PAGE_EVENTS) return found
      if (skip > MAX_VTN_EVENTS) throw invalidAnswer(url, `more than ${MAX_VTN_EVENTS} entries`)
    }
  }

  async #get(url: URL, signal: AbortSignal): Promise<unknown> {
    let answer = await this.#ask(url, signal)
    if (answer.status === 401 && this.#token !== undefined) {
      // The server may have forgotten the token before its time.
      this.#token = undefined
      answer = await this.#ask(url, signal)
    }
    if (answer.status !== 200) throw refusedBy(url, answer)
    return parseJson(url, answer.body)
  }

  async #ask(url: URL, signal: AbortSignal): Promise<HttpAnswer> {
    const token = await this.#freshToken(signal)
    return await askHttp({
      method: 'GET',
      url,
      headers: { accept: 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      timeoutMs: this.#config.timeoutMs,
      maxBytes: MAX_JSON_BYTES,
      signal,
    })
  }

  async #freshToken(signal: AbortSignal): Promise<string | undefined> {
    const { auth, timeoutMs } = this.#config
    if (auth === undefined) return undefined
    if (this.#token !== undefined && this.#now() < this.#token.untilMs) return this.#token.value
    const secret = readOwnKey(auth.clientSecretFile).toString('utf8').trim()
    const url = new URL(auth.tokenUrl ?? `${this.#config.url.replace(/\/+$/, '')}/auth/token`)
    const form = new URLSearchParams({ grant_type: 'client_credentials' })
    if (auth.scope !== undefined) form.set('scope', auth.scope)
    const headers: Record<string, string> = {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    }
    if (auth.method === 'basic') {
      const pair = `${encodeURIComponent(auth.clientId)}:${encodeURIComponent(secret)}`
      headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`
    } else {
      form.set('client_id', auth.clientId)
      form.set('client_secret', secret)
    }
    const body = form.toString()
    const answer = await askHttp({ method: 'POST', url, headers, body, timeoutMs, maxBytes: 65_536, signal })
    if (answer.status < 200 || answer.status > 299) throw refusedBy(url, answer)
    const token = tokenSchema.safeParse(parseJson(url, answer.body))
    if (!token.success) throw invalidAnswer(url, 'no access token')
    const lifeMs = token.data.expires_in === undefined ? DEFAULT_TOKEN_MS : token.data.expires_in * 1000
    this.#token = {
      value: token.data.access_token,
      // A token of a few seconds is used at least for half of them.
      untilMs: this.#now() + Math.max(lifeMs - RENEW_BEFORE_MS, lifeMs / 2),
    }
    return this.#token.value
  }
}

function parseJson(url: URL, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw invalidAnswer(url, 'no JSON', cause)
  }
}

function invalidAnswer(url: URL, what: string, cause?: unknown): BackfeedError {
  return new BackfeedError('GRID_MESSAGE_INVALID', `${shownUrl(url)}: ${what}`, { retryable: true, cause })
}

function refusedBy(url: URL, answer: HttpAnswer): BackfeedError {
  const { status } = answer
  const code = status === 401 || status === 403 ? 'GRID_LOGIN_REFUSED' : 'GRID_REQUEST_REFUSED'
  return new BackfeedError(code, `${shownUrl(url)} answered with status ${status}`, {
    retryable: true,
    details: { status },
  })
}
