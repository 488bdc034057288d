import { Scheme } from '../../protocol/scheme.ts'
import { MAX_REQUEST_RECORDS } from '../../protocol/wire.ts'
import { INGRESS_MAX_PEER_RECORDS, INGRESS_MAX_RECORDS } from '../limits.ts'

export interface AdmissionLimits {
  /** Records in flight of the whole process. */
  maxRecords: number
  /** Records in flight of one peer, however idle the process is. */
  maxPeerRecords: number
  /** Records in flight in lanes of a scheme: what its engine holds. Beyond that the engine would turn away whoever comes, greedy or not. */
  schemeRecords: Readonly<Partial<Record<Scheme, number>>>
}

export interface Ticket {
  /** The request turned out to hold fewer records than it was charged for. Never raises the charge. */
  shrink(records: number): void
  /** The records are answered or gone. Later calls do nothing. */
  leave(): void
}

/** OVERLOADED: the process is full. PEER_LIMIT: others still get in, this peer has its share. */
export type AdmissionRefusal = 'OVERLOADED' | 'PEER_LIMIT'

/**
 * Bounds the records in flight, for the process and fairly among peers: a peer may hold as much as is left free when it has been
 * admitted, and not more. So a peer alone gets half, n greedy peers get 1/(n+1) each, and there is always as much left for a newcomer as
 * the greediest has. (Choudhury and Hahne's dynamic threshold for shared switch buffers, with a factor of 1.) Fixed shares would
 * either be wasted when peers are few or add up to more than there is when they are many.
 */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #peers = new Map<string, number>()
  readonly #ofScheme: Record<Scheme, number> = { [Scheme.P256]: 0, [Scheme.BLS]: 0 }
  #inFlight = 0

  constructor(limits: Partial<AdmissionLimits> = {}) {
    const defaults = { maxRecords: INGRESS_MAX_RECORDS, maxPeerRecords: INGRESS_MAX_PEER_RECORDS, schemeRecords: {} }
    this.#limits = { ...defaults, ...limits }
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get peers(): number {
    return this.#peers.size
  }

  /** `peer`: whatever shares are counted by (a host, a known gateway). `records` ≥ 1, of a lane of the scheme. */
  enter(peer: string, records: number, scheme: Scheme = Scheme.P256): Ticket | AdmissionRefusal {
    const { maxRecords, schemeRecords } = this.#limits
    const held = this.#peers.get(peer) ?? 0
    const leftOfScheme = (schemeRecords[scheme] ?? maxRecords) - this.#ofScheme[scheme] - toVerify(records)
    const left = Math.min(maxRecords - this.#inFlight - records, leftOfScheme)
    if (left < 0) return 'OVERLOADED'
    // Who holds nothing gets in with anything that fits: a threshold must not shut out newcomers at high load.
    if (held > 0 && held + records > Math.min(this.#limits.maxPeerRecords, left)) return 'PEER_LIMIT'
    if (records > this.#limits.maxPeerRecords) return 'PEER_LIMIT'
    this.#add(peer, records)
    this.#ofScheme[scheme] += toVerify(records)
    return this.#ticket(peer, records, scheme)
  }

  #ticket(peer: string, records: number, scheme: Scheme): Ticket {
    let charged = records
    const chargeTo = (next: number): void => {
      if (next >= charged) return
      this.#add(peer, next - charged)
      this.#ofScheme[scheme] += toVerify(next) - toVerify(charged)
      charged = next
    }
    return { shrink: chargeTo, leave: () => chargeTo(0) }
  }

  #add(peer: string, records: number): void {
    this.#inFlight += records
    const held = (this.#peers.get(peer) ?? 0) + records
    if (held === 0) this.#peers.delete(peer)
    else this.#peers.set(peer, held)
  }
}

/** A request in JSON is charged for its bulk, and holds no more records than any. */
const toVerify = (records: number): number => Math.min(records, MAX_REQUEST_RECORDS)
