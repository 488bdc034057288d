import { keyText, keyU53 } from '../store/keys.ts'
import type { Draft } from './draft.ts'
import type { MeterEvent } from './meterEvent.ts'

// Where metering keeps what, in the edge's store. Numbers in keys are in their own order.

export const DRAFTS = 'metering/draft/'
export const HELD = 'metering/held/'
export const WITHHELD = 'metering/withheld/'
export const EVIDENCE = 'metering/evidence/'
export const EVIDENCE_INDEX = 'metering/evidence-of/'
export const STATES = 'metering/now/'

/** Written with every message. */
export const stateKey = (evse: string): string => `${STATES}${keyText(evse)}`
/** What changes rarely: ended transactions, boundaries, problems. */
export const historyKey = (evse: string): string => `metering/history/${keyText(evse)}`
/** How far drafts are signed. */
export const signedKey = (evse: string): string => `metering/signed/${keyText(evse)}`

export const draftKey = (evse: string, { number, part }: Pick<Draft, 'number' | 'part'>): string =>
  `${DRAFTS}${keyText(evse)}/${keyU53(number)}.${keyU53(part)}`

export const withheldPrefix = (evse: string): string => `${WITHHELD}${keyText(evse)}/`
export const withheldKey = (evse: string, { number, part }: Pick<Draft, 'number' | 'part'>): string =>
  `${withheldPrefix(evse)}${keyU53(number)}.${keyU53(part)}`

export const heldKey = (event: MeterEvent): string => `${HELD}${keyText(event.evse)}/${identityText(event)}`

/** Of the messages of one transaction that were taken. */
export const seenPrefix = (evse: string, transaction: string): string =>
  `metering/seen/${keyText(evse)}/${keyText(transaction)}/`
export const seenKey = (event: MeterEvent): string => `metering/seen/${keyText(event.evse)}/${identityText(event)}`

export const evidencePrefix = (evse: string, transaction: string): string =>
  `${EVIDENCE}${keyText(evse)}/${keyText(transaction)}/`
export const evidenceKey = (event: MeterEvent, index: number): string =>
  `${EVIDENCE}${keyText(event.evse)}/${identityText(event)}/${index}`
export const evidenceIndexKey = (evse: string, transaction: string): string =>
  `${EVIDENCE_INDEX}${keyText(evse)}/${keyText(transaction)}`

/** What makes two messages the same one: (transaction, seqNo, atMs, kind). */
export function identityText({ transaction, atMs, seqNo, kind }: MeterEvent): string {
  return `${keyText(transaction)}/${keyU53(atMs)}.${seqNo}.${kind}`
}

/** Name of the EVSE in a key of `prefix`. */
export const evseOfKey = (prefix: string, key: string): string =>
  decodeURIComponent(key.slice(prefix.length).split('/')[0]!)
