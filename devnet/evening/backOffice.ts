import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import { seededInt } from '../seed.ts'

/** What it reads of a record that it is told of. */
const toldRecordSchema = z.object({ energyWh: z.number(), creditedMicro: z.string(), position: z.number() })
const toldSchema = z.object({
  id: z.string(),
  type: z.string(),
  data: z.object({
    slot: z.number(),
    transaction: z.string().optional(),
    records: z.array(toldRecordSchema).optional(),
  }),
})
type Told = z.infer<typeof toldSchema>

/** A record as the back office has it. */
export interface ToldRecord {
  readonly evse: number
  readonly energyWh: number
  readonly creditedMicro: bigint
  readonly position: number
}

/** Of its answers, by chance: so many say later, so many connections end before or after it has taken an event. */
const LATER_SHARE = 0.1
const CUT_SHARE = 0.1
const HTTP_UNAVAILABLE = 503

/** Who is told of sessions by the gateway's webhook, and is a bad listener: it knows events by their ids alone. */
export class BackOffice implements AsyncDisposable {
  /** As the gateway's file holds it. */
  readonly secret: string
  readonly #key: Buffer
  readonly #random: () => number
  readonly #server: Server
  readonly #events = new Map<string, Told>()
  #deliveries = 0
  #forged = 0

  private constructor(seed: string) {
    this.#key = createHash('sha256').update(`backfeed/evening/${seed}`).digest()
    this.secret = `whsec_${this.#key.toString('base64')}`
    let drawn = 0
    this.#random = () => seededInt(seed, 'evening-back-office', drawn++, { least: 0, count: 1_000_000 }) / 1_000_000
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  static async open(seed: string): Promise<BackOffice> {
    const office = new BackOffice(seed)
    await new Promise<void>((resolve, reject) => {
      office.#server.once('error', reject)
      office.#server.listen(0, '127.0.0.1', resolve)
    })
    return office
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  /** How often it was told anything, repeats included. */
  get deliveries(): number {
    return this.#deliveries
  }

  /** What nobody had signed. */
  get forged(): number {
    return this.#forged
  }

  /** Transactions that are settled. */
  get sessions(): number {
    return [...this.#events.values()].filter(({ type }) => type === 'session.settled.v1').length
  }

  /** Of sessions, and of chargers that sign by themselves. */
  get records(): ToldRecord[] {
    const settled = [...this.#events.values()].filter(({ type }) => /^(session|records)\.settled\.v1$/.test(type))
    return settled.flatMap(({ data: { slot, records = [] } }) =>
      records.map((record) => ({ ...record, evse: slot, creditedMicro: BigInt(record.creditedMicro) })),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const parts: Buffer[] = []
      for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
      this.#take(request, response, Buffer.concat(parts).toString('utf8'))
    } catch {
      response.destroy() // the gateway was killed in the midst of it
    }
  }

  #take(request: IncomingMessage, response: ServerResponse, body: string): void {
    const chance = this.#random()
    if (chance < LATER_SHARE) {
      response.writeHead(HTTP_UNAVAILABLE).end()
      return
    }
    if (!this.#isSigned(request, body)) {
      this.#forged++
      response.writeHead(401).end()
      return
    }
    const isCut = chance < LATER_SHARE + CUT_SHARE
    const event = toldSchema.safeParse(JSON.parse(body))
    if (event.success && (!isCut || chance < LATER_SHARE + CUT_SHARE / 2)) {
      this.#deliveries++
      this.#events.set(event.data.id, event.data)
    }
    if (isCut) request.socket.destroy()
    else response.writeHead(event.success ? 204 : 400).end()
  }

  #isSigned({ headers }: IncomingMessage, body: string): boolean {
    const [id, time, signature] = ['id', 'timestamp', 'signature'].map((name) => String(headers[`webhook-${name}`]))
    const expected = createHmac('sha256', this.#key).update(`${id}.${time}.${body}`).digest()
    const given = Buffer.from(signature!.replace(/^v1,/, ''), 'base64')
    return given.length === expected.length && timingSafeEqual(given, expected)
  }
}
