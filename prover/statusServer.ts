import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Metrics } from '../runtime/metrics.ts'
import type { Component } from '../runtime/service.ts'
import type { ProverStatus } from './status.ts'

export interface StatusServerSettings {
  readonly host: string
  readonly port: number
  readonly metrics: Metrics
  status(): ProverStatus
  /** Brings gauges up to date before they are read. */
  refresh(): void
}

/** `/healthz` (503 while something is wrong), `/status`, `/metrics`. Reads only, answered from memory. */
export class StatusServer implements Component {
  readonly name = 'statusServer'
  readonly #settings: StatusServerSettings
  readonly #server: Server

  constructor(settings: StatusServerSettings) {
    this.#settings = settings
    this.#server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
      const send = (code: number, type: string, body: string): void => {
        response.writeHead(code, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
      }
      const path = request.url?.split('?', 1)[0]
      if (request.method !== 'GET') return send(405, 'text/plain', 'GET only\n')
      if (path === '/healthz') {
        const { problems } = settings.status()
        return send(problems.length === 0 ? 200 : 503, 'application/json', toJson({ problems }))
      }
      if (path === '/status') return send(200, 'application/json', toJson(settings.status()))
      if (path === '/metrics') {
        settings.refresh()
        settings.metrics.text().then(
          (text) => send(200, settings.metrics.contentType, text),
          () => send(500, 'text/plain', 'metrics failed\n'),
        )
        return
      }
      return send(404, 'text/plain', 'not found\n')
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
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner))
}
