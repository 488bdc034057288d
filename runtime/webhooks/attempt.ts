import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { MAX_ANSWER_BYTES, MAX_IN_FLIGHT, MAX_RETRY_AFTER_MS } from './limits.ts'

/** What came of sending an event once. */
export type Attempt =
  | { readonly kind: 'ACKNOWLEDGED' }
  /** 410: the receiver wants no more. */
  | { readonly kind: 'GONE' }
  /** 4xx, 3xx: it answers and does not take it. EVENT: this one; ENDPOINT: any. */
  | { readonly kind: 'REFUSED'; readonly of: 'EVENT' | 'ENDPOINT'; readonly why: string; readonly retryAfterMs: number }
  /** No answer, or one that says later. */
  | { readonly kind: 'FAILED'; readonly why: string; readonly retryAfterMs: number }

/** It is this body that these say something about; other events may be taken meanwhile. */
const ABOUT_THE_BODY: readonly number[] = [400, 409, 413, 415, 422]
/** 4xx that pass by themselves. */
const LATER: readonly number[] = [408, 425, 429]

export function judgeAnswer(status: number, retryAfter: string | undefined, nowMs: number): Attempt {
  if (status >= 200 && status < 300) return { kind: 'ACKNOWLEDGED' }
  if (status === 410) return { kind: 'GONE' }
  const retryAfterMs = readRetryAfter(retryAfter, nowMs)
  const why = `it answers ${status}`
  if (status >= 500 || LATER.includes(status)) return { kind: 'FAILED', why, retryAfterMs }
  return { kind: 'REFUSED', of: ABOUT_THE_BODY.includes(status) ? 'EVENT' : 'ENDPOINT', why, retryAfterMs }
}

/** Seconds or a date (RFC 9110 §10.2.3), as milliseconds from now; 0 when it says nothing that can be understood. */
export function readRetryAfter(text: string | undefined, nowMs: number): number {
  if (text === undefined) return 0
  const ms = /^\d{1,15}$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - nowMs
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS) : 0
}

export interface PostQuestion {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** From the request to the answer's head. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Posts to one URL. The answer's head is the answer; its body is read for the connection's sake alone. */
export class Poster {
  readonly #url: URL
  readonly #agent: HttpAgent

  constructor(url: string) {
    this.#url = new URL(url)
    const settings = { keepAlive: true, maxSockets: MAX_IN_FLIGHT }
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(settings) : new HttpAgent(settings)
  }

  /** Rejects only when `signal` aborts. */
  async post({ headers, body, timeoutMs, signal }: PostQuestion): Promise<Attempt> {
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      const { statusCode = 0, headers: answered } = await this.#ask(headers, body, AbortSignal.any([timeout, signal]))
      return judgeAnswer(statusCode, answered['retry-after'], Date.now())
    } catch (error) {
      signal.throwIfAborted()
      const message = error instanceof Error ? error.message : String(error)
      const why = timeout.aborted ? `no answer within ${timeoutMs} ms` : `no answer: ${message}`
      return { kind: 'FAILED', why, retryAfterMs: 0 }
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  #ask(headers: Readonly<Record<string, string>>, body: string, signal: AbortSignal): Promise<IncomingMessage> {
    const request = this.#url.protocol === 'https:' ? httpsRequest : httpRequest
    const settings = {
      method: 'POST',
      agent: this.#agent,
      signal,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'backfeed-webhooks/1',
        ...headers,
      },
    }
    return new Promise((resolve, reject) => {
      const asked = request(this.#url, settings, (response) => {
        let size = 0
        response.on('error', () => {}) // what it said is known
        response.on('data', (part: Buffer) => {
          size += part.length
          if (size > MAX_ANSWER_BYTES) response.destroy()
        })
        resolve(response)
      })
      asked.on('error', reject)
      // Switching protocols is no answer to a POST; without a listener Node only cuts the connection.
      asked.on('close', () => reject(new Error('the connection was cut')))
      asked.end(body)
    })
  }
}
