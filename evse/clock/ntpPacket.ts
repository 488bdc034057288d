import { readU32, writeU32 } from '../../protocol/bigEndian.ts'

// RFC 5905 §7.3 (and RFC 4330), without extension fields:
//
//   0            1         2      3           4             8                  12
//   li 2 vn 3 mode 3 | stratum | poll | precision | rootDelay 16.16 | rootDispersion 16.16 | referenceId |
//   16 reference 64 | 24 origin 64 | 32 receive 64 | 40 transmit 64           timestamps: seconds since 1900 32.32
//
// The origin of an answer is the request's transmit time: we send random bits there, which a forger off the path would have to guess.

const PACKET_BYTES = 48
const VERSION = 4
const CLIENT = 3
const SERVER = 4
const UNSYNCHRONISED = 3
const MAX_STRATUM = 15
/** Milliseconds from 1900 to 1970. */
const EPOCH_MS = 2_208_988_800_000
/** Timestamps count 2^32 seconds and begin again, next on 7 February 2036. */
const ERA_MS = 2 ** 32 * 1_000

export interface NtpAnswer {
  readonly stratum: number
  /** Milliseconds: between the server and its primary source, and what it may be off by. */
  readonly rootDelayMs: number
  readonly rootDispersionMs: number
  /** Server's clock, milliseconds since the Unix epoch. */
  readonly receivedMs: number
  readonly sentMs: number
}

/** KISS: the server asks us to stay away (RFC 5905 §7.4); `code` says how. */
export type NtpReply =
  | { readonly kind: 'ANSWER'; readonly answer: NtpAnswer }
  | { readonly kind: 'KISS'; readonly code: string }

/** `nonce`: 8 random bytes. */
export function encodeNtpRequest(nonce: Uint8Array): Uint8Array {
  const packet = new Uint8Array(PACKET_BYTES)
  packet[0] = (VERSION << 3) | CLIENT
  packet.set(nonce, 40)
  return packet
}

/** Undefined for what is no valid answer to our request. `nearMs`: our clock, right to some decades. */
export function decodeNtpReply(packet: Uint8Array, nonce: Uint8Array, nearMs: number): NtpReply | undefined {
  if (packet.length < PACKET_BYTES) return undefined
  const [leap, version, mode] = [packet[0]! >> 6, (packet[0]! >> 3) & 7, packet[0]! & 7]
  if (mode !== SERVER || version < 3 || version > VERSION) return undefined
  if (Buffer.compare(packet.subarray(24, 32), nonce) !== 0) return undefined
  const stratum = packet[1]!
  if (stratum === 0)
    return { kind: 'KISS', code: String.fromCharCode(...packet.subarray(12, 16)).replace(/[^A-Z]/g, '') }
  if (leap === UNSYNCHRONISED || stratum > MAX_STRATUM) return undefined
  if (readU32(packet, 40) === 0 && readU32(packet, 44) === 0) return undefined
  const answer: NtpAnswer = {
    stratum,
    rootDelayMs: shortMs(packet, 4),
    rootDispersionMs: shortMs(packet, 8),
    receivedMs: timestampMs(packet, 32, nearMs),
    sentMs: timestampMs(packet, 40, nearMs),
  }
  return answer.sentMs < answer.receivedMs ? undefined : { kind: 'ANSWER', answer }
}

/** For servers. */
export function encodeNtpAnswer(request: Uint8Array, answer: NtpAnswer): Uint8Array {
  const packet = new Uint8Array(PACKET_BYTES)
  packet[0] = (VERSION << 3) | SERVER
  packet[1] = answer.stratum
  writeU32(packet, 4, Math.round((answer.rootDelayMs * 65_536) / 1_000))
  writeU32(packet, 8, Math.round((answer.rootDispersionMs * 65_536) / 1_000))
  packet.set(request.subarray(40, 48), 24)
  writeTimestamp(packet, 32, answer.receivedMs)
  writeTimestamp(packet, 40, answer.sentMs)
  return packet
}

function shortMs(packet: Uint8Array, at: number): number {
  return (readU32(packet, at) * 1_000) / 65_536
}

function timestampMs(packet: Uint8Array, at: number, nearMs: number): number {
  const ms = readU32(packet, at) * 1_000 + (readU32(packet, at + 4) * 1_000) / 2 ** 32 - EPOCH_MS
  return ms + Math.round((nearMs - ms) / ERA_MS) * ERA_MS
}

function writeTimestamp(packet: Uint8Array, at: number, ms: number): void {
  const since1900 = ms + EPOCH_MS
  const seconds = Math.floor(since1900 / 1_000)
  writeU32(packet, at, seconds % 2 ** 32)
  writeU32(packet, at + 4, Math.floor(((since1900 / 1_000 - seconds) * 2 ** 32) % 2 ** 32))
}
