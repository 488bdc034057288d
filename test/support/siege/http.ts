import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { SIGNED_RECORD_BYTES } from '../../../protocol/record.ts'
import { Random } from '../generators/random.ts'
import type { Siege } from './tally.ts'

// Who means harm over HTTP. Each comes from a loopback address of its own, as from another host.

interface Target {
  readonly port: number
  readonly lane: number
}

type Attack = (siege: Siege, target: Target, from: string) => Promise<void>

const RECORDS = (lane: number): string => `POST /v1/lanes/${lane}/records HTTP/1.1\r\nHost: sequencer\r\n`

/** Bytes that are no HTTP, and HTTP with something of it changed. */
const garbage: Attack = async ({ tally, seed, done }, { port, lane }, from) => {
  const random = new Random(seed)
  while (!done.aborted) {
    const text = Buffer.from(`${RECORDS(lane)}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`)
    for (let i = random.int(0, 6); i > 0; i--) text[random.int(0, text.length - 1)] = random.int(0, 255)
    const bytes = random.chance(0.5) ? random.bytes(random.logInt(1, 20_000)) : text
    tally.add('http: garbage')
    await exchange({ port, from, done }, bytes)
  }
}

/** Headers and bodies that come a byte at a time, over as many connections as one host gets, and more. */
const slowLoris: Attack = async ({ tally, seed, done }, { port, lane }, from) => {
  const random = new Random(seed)
  const one = async (): Promise<void> => {
    while (!done.aborted) {
      const socket = await open(port, from)
      if (socket === undefined) continue
      tally.add('http: slow loris')
      const text = `${RECORDS(lane)}Content-Type: application/octet-stream\r\nContent-Length: 880\r\n\r\n`
      let at = random.int(0, text.length)
      socket.write(text.slice(0, at))
      while (!done.aborted && !socket.destroyed) {
        socket.write(at < text.length ? text[at++]! : '\0')
        await sleep(200)
      }
      socket.destroy()
    }
  }
  await Promise.all(Array.from({ length: 300 }, one))
}

/** Lengths that are too large, too small, twice there, or never come to their end. */
const lengths: Attack = async ({ tally, seed, done }, { port, lane }, from) => {
  const random = new Random(seed)
  const lies = [
    'Content-Length: 99999999999999999999\r\n\r\n',
    'Content-Length: -1\r\n\r\n',
    'Content-Length: 88\r\nContent-Length: 176\r\n\r\n',
    'Content-Length: 88\r\nTransfer-Encoding: chunked\r\n\r\n',
    'Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n',
    'Transfer-Encoding: chunked\r\n\r\n58\r\n',
    'Content-Length: 1073741824\r\n\r\n',
  ]
  while (!done.aborted) {
    const head = `${RECORDS(lane)}Content-Type: application/octet-stream\r\n${random.pick(lies)}`
    tally.add('http: lying lengths')
    await exchange({ port, from, done }, Buffer.concat([Buffer.from(head), random.bytes(random.logInt(1, 60_000))]))
  }
}

/** JSON that is deep, long, full of numbers that are none, and bodies that claim to be packed. */
const json: Attack = async ({ tally, seed, done }, { port, lane }, from) => {
  const random = new Random(seed)
  const bodies: (() => Buffer)[] = [
    () => Buffer.from('['.repeat(random.logInt(1_000, 200_000))),
    () => Buffer.from('{"records":'.repeat(random.logInt(100, 20_000))),
    () => Buffer.from(`{"records":["${'f'.repeat(random.logInt(1_000, 400_000))}"]}`),
    () => Buffer.from(`{"records":[${Array.from({ length: 2_000 }, () => '1e308').join(',')}]}`),
    () => Buffer.from(`{"records":[{"evse":${'9'.repeat(random.logInt(10, 100_000))}}]}`),
    () => Buffer.from('{"__proto__":{"records":[]},"constructor":{"prototype":1},"records":[]}'),
    () => gzipSync(Buffer.alloc(random.logInt(10_000, 20_000_000))),
  ]
  while (!done.aborted) {
    const body = random.pick(bodies)()
    const packed = body[0] === 0x1f ? 'Content-Encoding: gzip\r\n' : ''
    const head = `${RECORDS(lane)}Content-Type: application/json\r\n${packed}Content-Length: ${body.length}\r\n\r\n`
    tally.add(packed === '' ? 'http: JSON bombs' : 'http: packed bombs')
    await exchange({ port, from, done }, Buffer.concat([Buffer.from(head), body]))
  }
}

/** Well-formed requests of random records: every one costs a look-up, those of known chargers a signature. */
const forgeries: Attack = async ({ tally, seed, done }, { port, lane }, from) => {
  const random = new Random(seed)
  const one = async (): Promise<void> => {
    while (!done.aborted) {
      const count = random.int(1, 1_024)
      const body = random.bytes(count * SIGNED_RECORD_BYTES)
      for (let row = 0; row < count; row++) {
        const at = row * SIGNED_RECORD_BYTES
        if (random.chance(0.5)) body.set([0, 0, 0, random.int(0, 20)], at)
      }
      const head = `${RECORDS(lane)}Content-Type: application/octet-stream\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`
      tally.add('http: forged records', count)
      const answer = await exchange({ port, from, done }, Buffer.concat([Buffer.from(head), body]))
      tally.add(`http: forgeries answered ${answer.subarray(9, 12).toString() || 'nothing'}`)
    }
  }
  await Promise.all(Array.from({ length: 16 }, one))
}

/** Many connections that say nothing. */
const idle: Attack = async ({ tally, done }, { port }, from) => {
  const sockets: Socket[] = []
  while (!done.aborted) {
    const socket = await open(port, from)
    if (socket !== undefined) {
      sockets.push(socket)
      tally.add('http: idle connections')
    }
    if (sockets.length > 400) sockets.shift()!.destroy()
  }
  for (const socket of sockets) socket.destroy()
}

export const httpAttacks: readonly Attack[] = [garbage, slowLoris, lengths, json, forgeries, idle]

/** Sends and reads until the other side closes, or for a second. */
async function exchange(at: { port: number; from: string; done: AbortSignal }, bytes: Uint8Array): Promise<Buffer> {
  const socket = await open(at.port, at.from)
  if (socket === undefined) return Buffer.alloc(0)
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.length < 64 && parts.push(part))
  socket.end(bytes)
  try {
    await once(socket, 'close', { signal: AbortSignal.any([at.done, AbortSignal.timeout(1_000)]) })
  } catch {
    socket.destroy()
  }
  return Buffer.concat(parts)
}

async function open(port: number, from: string): Promise<Socket | undefined> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  socket.on('error', () => {})
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(1_000) })
    return socket
  } catch {
    socket.destroy()
    await sleep(20)
    return undefined
  }
}
