import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLibp2pClient } from '../client/libp2p.ts'
import { Outcome } from '../protocol/outcome.ts'
import { decodeRecord, SIGNED_RECORD_BYTES } from '../protocol/record.ts'
import { type Scheme, schemeLayout } from '../protocol/scheme.ts'
import { RESULT_BYTES } from '../protocol/wire.ts'
import { LANE } from './workload.ts'
import { Feeder } from './feeder.ts'
import { serveCalls } from './helperProcess.ts'
import { measure } from './measure.ts'
import { RecordMaker } from './recordMaker.ts'

// The chargers and gateways of a benchmark, in a process of their own, so that their CPU is told apart from the sequencer's: `LoadGenerator` tells it what to do.

export interface HttpTarget {
  readonly kind: 'http-binary' | 'http-json'
  readonly url: string
  /** Of the lane: how many results an answer begins with. */
  readonly rowBytes: number
}

export type Target = { readonly kind: 'libp2p'; readonly address: string } | HttpTarget

/** Each connection keeps `inFlight` requests under way; or, with a rate, sends at its times whether or not answers have come. */
export interface Pace {
  readonly inFlight: number
  readonly requestsPerSecond?: number
}

export interface LoadRun {
  readonly settled: number
  /** Of the generator's process, between the first request and the last answer. */
  readonly cpuSeconds: number
  /** Of each request, from when it was due. */
  readonly latenciesMs: readonly number[]
}

interface Sender {
  /** How many of the rows settled. */
  send(body: Uint8Array): Promise<number>
  close(): Promise<void>
}

let feeder: Feeder
let connections = 0
let senders: Sender[] = []
let target: Target | undefined
let bodies: Uint8Array[][] = []

const calls = {
  /** EVSEs with keys, shared out among so many connections. */
  play: async (evses: number, scheme: Scheme, connectionCount: number): Promise<void> => {
    connections = connectionCount
    feeder = new Feeder(new RecordMaker({ evses, keys: true, layout: schemeLayout(scheme) }), connections)
  },
  /** Records that are not sent, so many of each connection. */
  sample: async (recordsEach: number): Promise<Uint8Array> => feeder.next(1, recordsEach).rows,
  connect: async (to: Target): Promise<void> => {
    target = to
    senders = await Promise.all(Array.from({ length: connections }, () => openSender(to)))
  },
  /** Signs what each connection sends next, and encodes it, before anything is timed. */
  load: async (requestsEach: number, recordsEach: number): Promise<void> => {
    const made = feeder.next(requestsEach, recordsEach).bodies
    bodies = target?.kind === 'http-json' ? made.map((list) => list.map(jsonBody)) : made
  },
  go: async ({ inFlight, requestsPerSecond }: Pace): Promise<LoadRun> => {
    const latenciesMs: number[] = []
    let settled = 0
    const { cpuSeconds } = await measure(async () => {
      settled = await (requestsPerSecond === undefined
        ? closedLoop(inFlight, latenciesMs)
        : openLoop(requestsPerSecond, latenciesMs))
    })
    return { settled, cpuSeconds, latenciesMs }
  },
  disconnect: async (): Promise<void> => {
    await Promise.all(senders.map((sender) => sender.close()))
  },
}
export type LoadCalls = typeof calls

serveCalls(calls)

async function closedLoop(inFlight: number, latenciesMs: number[]): Promise<number> {
  let settled = 0
  const chains = bodies.flatMap((list, c) => {
    let next = 0
    return Array.from({ length: inFlight }, async () => {
      while (next < list.length) {
        const body = list[next++]!
        const sentAt = performance.now()
        const count = await senders[c]!.send(body)
        settled += count
        latenciesMs.push(performance.now() - sentAt)
      }
    })
  })
  await Promise.all(chains)
  return settled
}

/** Latency counts from when a request was due, so that a stall shows in all that it held up. */
async function openLoop(requestsPerSecond: number, latenciesMs: number[]): Promise<number> {
  const queue = bodies[0]!.flatMap((_, i) => bodies.map((list, c) => ({ body: list[i], sender: senders[c]! })))
  const startedAt = performance.now()
  const answers: Promise<number>[] = []
  for (const [i, { body, sender }] of queue.entries()) {
    if (body === undefined) continue
    const dueAt = startedAt + (i * 1_000) / requestsPerSecond
    const waitMs = dueAt - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    const answer = sender.send(body)
    answers.push(answer)
    void answer.then(() => latenciesMs.push(performance.now() - dueAt))
  }
  const counts = await Promise.all(answers)
  return counts.reduce((sum, count) => sum + count, 0)
}

async function openSender(to: Target): Promise<Sender> {
  if (to.kind !== 'libp2p') return httpSender(to)
  const client = await createLibp2pClient({
    address: to.address,
    maxRequests: 64,
    retry: { attempts: 1 },
    receipts: 'unchecked', // a charger's work, on a charger's machine
  })
  return {
    send: async (rows) => {
      const results = await client.submit({ lane: LANE, rows })
      return results.filter(({ code }) => code === Outcome.SETTLED).length
    },
    close: () => client.close(),
  }
}

/** One kept connection: node's own client, which costs the generator least. */
function httpSender({ url, kind, rowBytes }: HttpTarget): Sender {
  const json = kind === 'http-json'
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const type = json ? 'application/json' : 'application/octet-stream'
  const send = (body: Uint8Array): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': type, accept: type, 'content-length': body.length }
      const request = httpRequest(`${url}/v1/lanes/${LANE}/records`, { method: 'POST', agent, headers }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const answer = Buffer.concat(parts)
          if (response.statusCode === 200)
            resolve(
              json
                ? settledInJson(answer)
                : settledInBinary(answer.subarray(0, (body.length / rowBytes) * RESULT_BYTES)),
            )
          else reject(new Error(`HTTP ${response.statusCode}: ${answer.toString().slice(0, 200)}`))
        })
      })
      request.on('error', reject)
      request.end(body)
    })
  return { send, close: async () => agent.destroy() }
}

function settledInBinary(results: Uint8Array): number {
  let settled = 0
  for (let at = 0; at < results.length; at += RESULT_BYTES) if (results[at] === Outcome.SETTLED) settled++
  return settled
}

/** Counted without parsing: what the generator would do with an answer is not what is measured. */
function settledInJson(answer: Buffer): number {
  let settled = 0
  const word = '"SETTLED"'
  for (let at = answer.indexOf(word); at >= 0; at = answer.indexOf(word, at + word.length)) settled++
  return settled
}

/** The form with named fields, which is the larger and slower of the two. */
function jsonBody(rows: Uint8Array): Uint8Array {
  const records = Array.from({ length: rows.length / SIGNED_RECORD_BYTES }, (_, row) => {
    const at = row * SIGNED_RECORD_BYTES
    const signature = Buffer.from(rows.subarray(at + 24, at + SIGNED_RECORD_BYTES)).toString('hex')
    return { record: decodeRecord(rows, at), signature: `0x${signature}` }
  })
  return Buffer.from(JSON.stringify({ records }))
}
