import { readFileSync, writeFileSync } from 'node:fs'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Delivery {
  readonly id: string
  readonly type: string
  readonly data: Record<string, unknown>
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** HANG: no answer; CUT: the connection ends without one; else a status, with headers. */
export type Reply = 'HANG' | 'CUT' | number | { readonly status: number; readonly headers: Record<string, string> }

type Verify = (headers: IncomingHttpHeaders, body: string, secret: string, nowSeconds: number) => unknown

export const WEBHOOK_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

/** The receiver's side as docs/webhooks.md shows it. */
export async function documentedVerification(): Promise<Verify> {
  const text = readFileSync(fileURLToPath(new URL('../../docs/webhooks.md', import.meta.url)), 'utf8')
  const [, code] = /^```js\n(.*?)^```$/ms.exec(text)!
  const module = (await import(`data:text/javascript,${encodeURIComponent(code!)}`)) as { verifyWebhook: Verify }
  return module.verifyWebhook
}

/** A file of mode 600 with a secret. */
export function secretFile(folder: string, secret = WEBHOOK_SECRET, name = 'webhook.secret'): string {
  const path = join(folder, name)
  writeFileSync(path, `${secret}\n`, { mode: 0o600 })
  return path
}

/** A back office on loopback. It believes what is rightly signed alone; `reply` says how it answers. */
export class WebhookReceiver implements AsyncDisposable {
  /** All that came, also what was not acknowledged. */
  readonly tries: Delivery[] = []
  /** What was answered 2xx. */
  readonly taken: Delivery[] = []
  reply: (delivery: Delivery) => Reply = () => 204
  readonly #server: Server
  readonly #verify: Verify

  private constructor(verify: Verify) {
    this.#verify = verify
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(await documentedVerification())
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve))
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/settle`
  }

  /** Each event once, by its id, as a receiver that takes nothing twice has them. */
  get events(): Delivery[] {
    return [...new Map(this.taken.map((delivery) => [delivery.id, delivery])).values()]
  }

  of(type: string): Delivery[] {
    return this.events.filter((event) => event.type === type)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
    const body = Buffer.concat(parts).toString('utf8')
    try {
      this.#verify(request.headers, body, WEBHOOK_SECRET, Math.floor(Date.now() / 1_000))
    } catch {
      response.writeHead(401).end()
      return
    }
    const { id, type, data } = JSON.parse(body) as Delivery
    if (request.headers['webhook-id'] !== id) {
      response.writeHead(400).end()
      return
    }
    const delivery = { id, type, data, headers: request.headers, body }
    this.tries.push(delivery)
    const reply = this.reply(delivery)
    if (reply === 'HANG') return
    if (reply === 'CUT') {
      request.socket.destroy()
      return
    }
    const { status, headers } = typeof reply === 'number' ? { status: reply, headers: {} } : reply
    if (status >= 200 && status < 300) this.taken.push(delivery)
    response.writeHead(status, headers).end()
  }
}
