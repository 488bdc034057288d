import type { SourceProblem } from '../sourceStatus.ts'
import { distanceM, type Position } from '../../evse/position/geofence.ts'
import type { KnownEvse } from './laneSlots.ts'

/** Degrees × 10^7 as degrees. */
const SCALE = 10_000_000

export interface Refusal extends SourceProblem {
  /** Whether waiting may help: a slot not registered or active yet, a position that is not known. */
  readonly retryable: boolean
  /** The slot ended before the span did: only another slot could ever sign it. */
  readonly reason?: 'SLOT_ENDED'
}

/** Span of a record, seconds. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface PermitQuestion {
  readonly name: string
  readonly lane: number
  readonly slot: number
  /** Undefined: L1 has nothing in the slot. */
  readonly known: KnownEvse | undefined
  /** Key that the gateway would sign with; undefined: the EVSE signs itself. */
  readonly signerKey: Uint8Array | undefined
  /** `registered`: mounted where the descriptor says; undefined: nobody knows. */
  readonly position: Position | 'registered' | undefined
  readonly span: Span
}

/** Why nothing may be signed for the EVSE over this span; undefined when it may. What settlement would refuse is not signed. */
export function refusal(question: PermitQuestion): Refusal | undefined {
  const { name, lane, slot, known, signerKey, position, span } = question
  const where = `slot ${slot} of lane ${lane}`
  const no = (code: string, message: string, retryable: boolean): Refusal => ({ code, message, evse: name, retryable })
  if (known === undefined) return no('EVSE_NOT_REGISTERED', `${name}: there is no EVSE in ${where} on L1 yet`, true)
  const { evse, term } = known
  if (signerKey !== undefined && Buffer.compare(signerKey, evse.publicKey) !== 0) {
    return no('KEY_NOT_REGISTERED', `${name}: its signer's key is not the one that ${where} is registered with`, false)
  }
  if (span.end > term.endsAt) {
    const ended = no('ERR_AUTH_EXPIRED', `${name}: ${where} ended on L1 at ${isoTime(term.endsAt)}`, false)
    return { ...ended, reason: 'SLOT_ENDED' }
  }
  if (span.start < term.activeFrom) {
    return no('EVSE_NOT_ACTIVE', `${name}: ${where} is active from ${isoTime(term.activeFrom)} on`, false)
  }
  if (position === 'registered') return undefined
  if (position === undefined) return no('ERR_GEOFENCE', `${name}: its position is not known, or too old`, true)
  const awayM = distanceM(position, { lat: evse.lat / SCALE, lon: evse.lon / SCALE })
  if (awayM <= term.radiusM) return undefined
  const far = `${Math.round(awayM)} m from its registered place, and its fence is ${term.radiusM} m`
  return no('ERR_GEOFENCE', `${name}: it is ${far}`, true)
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
