import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { BackfeedError } from '../../runtime/errors.ts'
import { decodeNtpReply, encodeNtpRequest, type NtpReply } from './ntpPacket.ts'
import { agreeingReading, type TimeReading, type TimeSource } from './timeSource.ts'

export interface SntpSettings {
  /** `host`, `host:port` or `[v6]:port`. */
  readonly servers: readonly string[]
  /** Questions to each server at a check; the one with the shortest way there and back counts. */
  readonly samples: number
  readonly timeoutMs: number
  /** A longer way there and back says too little. */
  readonly maxRoundTripMs: number
  /** Wall clock and monotonic clock, milliseconds. */
  readonly now: () => number
  readonly monotonicMs: () => number
}

const NTP_PORT = 123
/** Between questions to one server: servers take faster ones for abuse. */
const SAMPLE_GAP_MS = 200
/** RFC 5905's MAXDIST, after which a server is no source of time. */
const MAX_ROOT_DISTANCE_MS = 1_500
/** RFC 5905 §7.4: after RATE so much later at the earliest; after DENY or RSTR not again before a restart. */
const RATE_PAUSE_MS = 900_000

/** SNTP (RFC 4330, RFC 5905 §14) over one or several servers. */
export function sntpSource(settings: SntpSettings): TimeSource {
  const pausedUntilMs = new Map<string, number>()
  return async (signal) => {
    const { servers, monotonicMs } = settings
    const asked = servers.filter((server) => (pausedUntilMs.get(server) ?? 0) <= monotonicMs())
    const faults: string[] = []
    const results = await Promise.allSettled(asked.map((server) => readServer(settings, server, signal)))
    const readings: TimeReading[] = []
    for (const [i, result] of results.entries()) {
      if (result.status === 'fulfilled') readings.push(result.value)
      else {
        const { reason } = result
        if (reason instanceof KissOfDeath) {
          pausedUntilMs.set(
            asked[i]!,
            reason.code === 'RATE' ? monotonicMs() + RATE_PAUSE_MS : Number.POSITIVE_INFINITY,
          )
        }
        faults.push(`${asked[i]}: ${reason instanceof Error ? reason.message : String(reason)}`)
      }
    }
    signal.throwIfAborted()
    if (asked.length < servers.length) faults.push(`${servers.length - asked.length} asked us to stay away`)
    if (readings.length === 0) {
      throw new BackfeedError('TIME_SOURCE_UNREACHABLE', faults.join('; '), { retryable: true })
    }
    const agreed = agreeingReading(readings)
    if (agreed === undefined) {
      const offsets = readings.map(({ offsetMs }) => `${offsetMs.toFixed(1)} ms`).join(', ')
      throw new BackfeedError('TIME_SOURCES_DISAGREE', `offsets of ${offsets}`, { retryable: true })
    }
    return agreed
  }
}

class KissOfDeath extends Error {
  readonly code: string

  constructor(code: string) {
    super(`kiss of death ${code}`)
    this.code = code
  }
}

async function readServer(settings: SntpSettings, server: string, signal: AbortSignal): Promise<TimeReading> {
  const { samples, maxRoundTripMs } = settings
  const { host, port } = splitAddress(server)
  const address = isIP(host) === 0 ? (await lookup(host)).address : host
  let best: (TimeReading & { roundTripMs: number }) | undefined
  let fault: unknown
  for (let i = 0; i < samples; i++) {
    if (i > 0) await sleep(SAMPLE_GAP_MS, undefined, { signal })
    try {
      const sample = await ask(settings, { address, port }, signal)
      if (best === undefined || sample.roundTripMs < best.roundTripMs) best = sample
    } catch (error) {
      if (error instanceof KissOfDeath) throw error
      fault = error
    }
  }
  if (best === undefined) throw fault
  if (best.roundTripMs > maxRoundTripMs) {
    throw new Error(`the way there and back took ${best.roundTripMs.toFixed(0)} ms, more than ${maxRoundTripMs}`)
  }
  return best
}

async function ask(
  settings: SntpSettings,
  { address, port }: { address: string; port: number },
  signal: AbortSignal,
): Promise<TimeReading & { roundTripMs: number }> {
  const { now, monotonicMs, timeoutMs } = settings
  const nonce = randomBytes(8)
  const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4')
  try {
    const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const { reply, sentMs, roundMs } = await new Promise<{ reply: NtpReply; sentMs: number; roundMs: number }>(
      (resolve, reject) => {
        let [wallMs, startMs] = [0, 0]
        stop.addEventListener('abort', () => reject(new Error(`no answer in ${timeoutMs} ms`)), { once: true })
        socket.on('error', reject)
        socket.on('message', (packet) => {
          const roundMs = monotonicMs() - startMs
          const reply = decodeNtpReply(packet, nonce, wallMs)
          if (reply !== undefined) resolve({ reply, sentMs: wallMs, roundMs })
        })
        // Connected: the system drops what comes from elsewhere.
        socket.connect(port, address, () => {
          wallMs = now()
          startMs = monotonicMs()
          socket.send(encodeNtpRequest(nonce))
        })
      },
    )
    if (reply.kind === 'KISS') throw new KissOfDeath(reply.code)
    const { receivedMs, sentMs: theirsMs, rootDelayMs, rootDispersionMs } = reply.answer
    const rootMs = rootDelayMs / 2 + rootDispersionMs
    if (rootMs > MAX_ROOT_DISTANCE_MS) throw new Error(`the server itself may be off by ${rootMs.toFixed(0)} ms`)
    const roundTripMs = Math.max(0, roundMs - (theirsMs - receivedMs))
    const offsetMs = (receivedMs - sentMs + (theirsMs - (sentMs + roundMs))) / 2
    return { offsetMs, errorMs: roundTripMs / 2 + rootMs, roundTripMs }
  } finally {
    socket.close()
  }
}

function splitAddress(server: string): { host: string; port: number } {
  const [, v6, name, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(server) ?? []
  const host = v6 ?? name
  return host === undefined
    ? { host: server, port: NTP_PORT }
    : { host, port: port === undefined ? NTP_PORT : Number(port) }
}
