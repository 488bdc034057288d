import type { Verdict } from './voteBook.ts'

/** Rejected messages until a peer is denied: one or two can be two views of L1. */
const MOST_REJECTED = 3
/** In one minute: an honest peer tells a few votes a batch. */
const MOST_IGNORED = 512
const WINDOW_MS = 60_000
const MOST_PEERS = 1_024
const MOST_DENIED = 4_096

interface Conduct {
  since: number
  rejected: number
  ignored: number
}

/** What peers have passed on, and who may not come again. Bounded: the oldest are forgotten first. Pure but for the caller's clock. */
export class PeerConduct {
  readonly #peers = new Map<string, Conduct>()
  readonly #denied = new Set<string>()

  get deniedCount(): number {
    return this.#denied.size
  }

  isDenied(peer: string): boolean {
    return this.#denied.has(peer)
  }

  note(peer: string, verdict: Verdict, nowMs: number): 'keep' | 'deny' {
    if (verdict === 'accept') return 'keep'
    const before = this.#peers.get(peer)
    const conduct =
      before === undefined || nowMs - before.since > WINDOW_MS ? { since: nowMs, rejected: 0, ignored: 0 } : before
    this.#peers.delete(peer)
    this.#peers.set(peer, conduct)
    dropOldest(this.#peers, MOST_PEERS)
    if (verdict === 'reject') conduct.rejected++
    else conduct.ignored++
    return conduct.rejected >= MOST_REJECTED || conduct.ignored >= MOST_IGNORED ? 'deny' : 'keep'
  }

  deny(peer: string): void {
    this.#peers.delete(peer)
    this.#denied.add(peer)
    dropOldest(this.#denied, MOST_DENIED)
  }
}

function dropOldest(entries: Map<string, unknown> | Set<string>, most: number): void {
  if (entries.size > most) entries.delete(entries.keys().next().value!)
}
