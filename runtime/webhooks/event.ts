import { createHash } from 'node:crypto'
import { MAX_BODY_BYTES } from './limits.ts'

/** Something that receivers are told. */
export interface WebhookEvent {
  /** `eventId`: the same whenever this event is made again. */
  readonly id: string
  /** With its version, `batch.posted.v1`: a receiver never meets another shape under a type that it knows. */
  readonly type: string
  /** Events of one subject come in order: an EVSE's name, a lane. */
  readonly subject: string
  /** When it was made, milliseconds since the Unix epoch. */
  readonly atMs: number
  readonly data: object
}

/** As it waits and is sent. */
export interface QueuedEvent extends Omit<WebhookEvent, 'data'> {
  readonly body: string
}

/** Amounts in `data` are text already: no receiver must read them into a float. @throws RangeError for a body that is too large */
export function queuedEvent({ data, ...event }: WebhookEvent): QueuedEvent {
  const { id, type, atMs } = event
  const body = JSON.stringify({ id, type, timestamp: new Date(atMs).toISOString(), data })
  if (Buffer.byteLength(body) > MAX_BODY_BYTES) throw new RangeError(`event ${id} (${type}) has ${body.length} bytes`)
  return { ...event, body }
}

/** An id by what the event is about: made again after a crash it is the same. */
export function eventId(...parts: readonly (string | number)[]): string {
  return `evt_${createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 27)}`
}
