import { Agent, type IncomingMessage, request } from 'node:http'
import { buffer, text } from 'node:stream/consumers'
import { RESULT_BYTES } from '../../../protocol/wire.ts'

/** What came back for one request, judged by docs/api.md: results, or a refusal that says when to come again. */
export type Judged =
  | { readonly kind: 'results'; readonly results: Buffer; readonly receipts: Buffer }
  | { readonly kind: 'refused'; readonly code: string; readonly retryAfterSeconds: number }

const BINARY = 'application/octet-stream'
/** By status: with which codes a sequencer sends a whole request away for now. */
const REFUSALS: Readonly<Record<number, readonly string[]>> = {
  429: ['PEER_LIMIT'],
  503: ['OVERLOADED', 'NOT_ACCEPTING'],
  504: ['ANSWER_TIMEOUT'],
}

export interface HttpHostSettings {
  readonly port: number
  readonly lane: number
  /** A loopback address of its own: for the sequencer, another host. */
  readonly from: string
  readonly connections: number
}

/** A host that sends rows in the binary form, over connections that it keeps. */
export class HttpHost implements Disposable {
  readonly #settings: HttpHostSettings
  readonly #agent: Agent
  underWay = 0

  constructor(settings: HttpHostSettings) {
    this.#settings = settings
    const { from, connections } = settings
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, localAddress: from } as ConstructorParameters<
      typeof Agent
    >[0])
  }

  /** All its connections wait for answers: HTTP itself holds it back. */
  get isHeldBack(): boolean {
    return this.underWay >= this.#settings.connections
  }

  /** @throws whatever is no answer of the protocol, a broken connection too. */
  async post(rows: Uint8Array, count: number): Promise<Judged> {
    this.underWay++
    try {
      const response = await this.#exchange(rows)
      if (response.headers['content-type'] !== BINARY) return refusalOf(response, await text(response))
      const body = await buffer(response)
      if (body.length < count * RESULT_BYTES) throw new Error(`${body.length} bytes of answer for ${count} rows`)
      const results = body.subarray(0, count * RESULT_BYTES)
      return { kind: 'results', results, receipts: body.subarray(results.length) }
    } finally {
      this.underWay--
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  #exchange(rows: Uint8Array): Promise<IncomingMessage> {
    const { port, lane } = this.#settings
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': BINARY, accept: BINARY, 'content-length': rows.length }
      const path = `/v1/lanes/${lane}/records`
      const sent = request({ host: '127.0.0.1', port, path, method: 'POST', agent: this.#agent, headers })
      sent.once('response', resolve)
      sent.once('error', reject)
      sent.end(rows)
    })
  }
}

function refusalOf({ statusCode, headers }: IncomingMessage, body: string): Judged {
  const { code } = JSON.parse(body) as { code: string }
  if (!REFUSALS[statusCode!]?.includes(code)) throw new Error(`answered ${statusCode} ${body}`)
  const retryAfter = headers['retry-after']
  if (retryAfter === undefined || !/^[1-9]\d*$/.test(retryAfter)) {
    throw new Error(`${statusCode} ${code} with Retry-After ${retryAfter}`)
  }
  return { kind: 'refused', code, retryAfterSeconds: Number(retryAfter) }
}
