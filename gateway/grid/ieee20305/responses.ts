import { MAX_REMEMBERED_EVENTS } from '../limits.ts'
import type { ResolvedControl } from './eventRules.ts'
import { escapeXml, SEP_NAMESPACE } from './xml.ts'

/** Response types of DERControls and prices (IEEE 2030.5-2018, table 27). */
export const ResponseStatus = {
  received: 1,
  started: 2,
  completed: 3,
  cancelled: 6,
  superseded: 7,
  abortedByOtherProgram: 14,
  rejectedNotApplicable: 252,
  rejectedExpired: 254,
} as const
export type ResponseStatus = (typeof ResponseStatus)[keyof typeof ResponseStatus]

export interface SepResponse {
  readonly kind: 'DERControlResponse' | 'PriceResponse'
  readonly replyTo: string
  readonly subject: string
  readonly status: ResponseStatus
  /** Seconds, by the server's clock. */
  readonly createdTime: number
}

/** After one of these there is nothing more to say of an event. */
const LAST_WORDS = [
  ResponseStatus.completed,
  ResponseStatus.cancelled,
  ResponseStatus.superseded,
  ResponseStatus.abortedByOtherProgram,
  ResponseStatus.rejectedNotApplicable,
  ResponseStatus.rejectedExpired,
] as const

const RECEIVED_BIT = 1
const SPECIFIC_BIT = 2

/** Remembers what a server was told of which event, so that it is told once. */
export class ResponseBook {
  readonly #told = new Map<string, Set<ResponseStatus>>()

  /** What is due now, in the order it happened. `markTold` once it is on its way. */
  due(event: ResolvedControl, serverNow: number): SepResponse[] {
    const { control } = event
    const { replyTo } = control
    if (replyTo === undefined) return []
    const told = this.#told.get(control.mrid) ?? new Set()
    return statusesOf(event, serverNow, told).map((status) => ({
      kind: 'DERControlResponse',
      replyTo,
      subject: control.mrid,
      status,
      createdTime: Math.floor(serverNow),
    }))
  }

  markTold(response: SepResponse): void {
    const told = this.#told.get(response.subject) ?? new Set()
    told.add(response.status)
    // Moves to the end: the oldest event is forgotten first.
    this.#told.delete(response.subject)
    this.#told.set(response.subject, told)
    if (this.#told.size <= MAX_REMEMBERED_EVENTS) return
    const oldest = this.#told.keys().next()
    if (oldest.done !== true) this.#told.delete(oldest.value)
  }
}

function statusesOf(event: ResolvedControl, serverNow: number, told: ReadonlySet<ResponseStatus>): ResponseStatus[] {
  const { control, ended, effective } = event
  const wantsReceived = (control.responseRequired & RECEIVED_BIT) !== 0
  const wantsSpecific = (control.responseRequired & SPECIFIC_BIT) !== 0
  const due: ResponseStatus[] = []
  const say = (status: ResponseStatus): void => void (told.has(status) || due.push(status))
  // Heard of for the first time when it was over already.
  if (told.size === 0 && serverNow >= effective.end) {
    return wantsReceived || wantsSpecific ? [ResponseStatus.rejectedExpired] : []
  }
  if (LAST_WORDS.some((status) => told.has(status))) return []
  if (control.setPoints.length === 0) {
    if (wantsReceived || wantsSpecific) say(ResponseStatus.rejectedNotApplicable)
    return due
  }
  if (wantsReceived) say(ResponseStatus.received)
  if (!wantsSpecific) return due
  const endsEarlyAt = ended === undefined ? Number.POSITIVE_INFINITY : ended.at
  const hasStarted = serverNow >= effective.start && effective.start < Math.min(effective.end, endsEarlyAt)
  if (hasStarted) say(ResponseStatus.started)
  if (ended !== undefined) {
    if (ended.by === 'cancel') say(ResponseStatus.cancelled)
    else if (serverNow >= ended.at) {
      say(ended.by === 'otherProgram' ? ResponseStatus.abortedByOtherProgram : ResponseStatus.superseded)
    }
  } else if (hasStarted && serverNow >= effective.end) say(ResponseStatus.completed)
  return due
}

/** The body to be posted; its elements stand in the schema's order. */
export function responseXml(response: SepResponse, lfdi: string): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<${response.kind} xmlns="${SEP_NAMESPACE}">`,
    `<createdDateTime>${response.createdTime}</createdDateTime>`,
    `<endDeviceLFDI>${escapeXml(lfdi)}</endDeviceLFDI>`,
    `<status>${response.status}</status>`,
    `<subject>${escapeXml(response.subject)}</subject>`,
    `</${response.kind}>`,
  ].join('')
}
