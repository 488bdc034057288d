import { createHash } from 'node:crypto'
import { MAX_ERROR_ROWS, MAX_TEXT_CHARS } from '../../evse/mqtt/limits.ts'
import { encodePayload, type ErrorPayload, type MessageFault } from '../../evse/mqtt/payloads.ts'
import { type EvseAddress, topicOf } from '../../evse/mqtt/topics.ts'
import { ERROR_BURST, ERROR_EVERY_MS, MAX_ERROR_BUCKETS } from './limits.ts'

export interface Fault {
  readonly code: MessageFault
  readonly message: string
  readonly retryable?: boolean
  /** Records of 24 bytes that it is about. */
  readonly records?: readonly Uint8Array[]
}

interface Bucket {
  tokens: number
  filledMs: number
}

/** Tells an EVSE what was wrong with a message, on its errors topic, and no faster than it can be meant. */
export class FaultReplies {
  readonly #publish: (topic: string, payload: Buffer) => void
  readonly #monotonicMs: () => number
  readonly #buckets = new Map<string, Bucket>()

  constructor(settings: { publish: (topic: string, payload: Buffer) => void; monotonicMs: () => number }) {
    this.#publish = settings.publish
    this.#monotonicMs = settings.monotonicMs
  }

  reply(address: EvseAddress, channel: ErrorPayload['channel'], payload: Uint8Array, fault: Fault): void {
    if (!this.#mayReply(`${address.lane}/${address.evse}`)) return
    const { code, message, retryable = false, records } = fault
    const error: ErrorPayload = {
      code,
      message: message.slice(0, MAX_TEXT_CHARS),
      channel,
      of: `0x${createHash('sha256').update(payload).digest('hex')}`,
      retryable,
      ...(records && {
        records: records.slice(0, MAX_ERROR_ROWS).map((record) => `0x${Buffer.from(record).toString('hex')}`),
      }),
    }
    this.#publish(topicOf(address, 'errors'), encodePayload(error))
  }

  #mayReply(name: string): boolean {
    const nowMs = this.#monotonicMs()
    const bucket = this.#buckets.get(name) ?? { tokens: ERROR_BURST, filledMs: nowMs }
    const filled = Math.floor((nowMs - bucket.filledMs) / ERROR_EVERY_MS)
    bucket.tokens = Math.min(ERROR_BURST, bucket.tokens + filled)
    bucket.filledMs += filled * ERROR_EVERY_MS
    // The one that was used longest ago goes: its bucket is full by now.
    this.#buckets.delete(name)
    this.#buckets.set(name, bucket)
    if (this.#buckets.size > MAX_ERROR_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value!)
    if (bucket.tokens === 0) return false
    bucket.tokens--
    return true
  }
}
