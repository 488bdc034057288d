import type { Hex } from 'viem'
import type { Roster, Seat } from '../../l1/attest/roster.ts'
import { type AttestDomain, attestMessage, isQuorum } from '../../protocol/attestation.ts'
import type { BatchHeader } from '../../protocol/batchHeader.ts'
import { type BlsSignature, parseBlsSignature, verifyBls } from '../../protocol/bls.ts'
import type { Vote } from './vote.ts'

/** What attesting needs of a batch. */
export interface KnownBatch {
  readonly header: BatchHeader
  readonly headerHash: Hex
  /** Seconds; of the batch. */
  readonly submittedAt: number
}

interface HeldVote {
  readonly signature: BlsSignature
  readonly bytes: Uint8Array
  /** The key that signed, so that a later holder of the id does not inherit the vote. */
  readonly keyHash: Hex
  toldAt: number
}

export interface BatchVotes {
  readonly batch: KnownBatch
  readonly votes: ReadonlyMap<number, HeldVote>
}

export interface Tally {
  readonly signers: readonly Seat[]
  readonly signatures: readonly BlsSignature[]
  readonly signedMicro: bigint
  readonly totalMicro: bigint
  readonly isQuorum: boolean
}

/** accept: passed on to other peers. ignore: not ours to judge. reject: whoever passed it on is to blame. */
export type Verdict = 'accept' | 'ignore' | 'reject'

/** Newest batches of a lane whose votes are held; whoever attests a later one vouches for the earlier ones too. */
const BATCHES_A_LANE = 16
/** Votes for batches that are not checked yet, of one attester: it may be a few batches ahead of us. */
const EARLY_VOTES_AN_ATTESTER = 8
/** Clocks differ, and gossip takes a while. */
const TOLD_TOLERANCE_SECONDS = 60
/** The same vote is passed on no more often than this, however often it is told: so floods die at the first honest peer. */
const TOLD_AGAIN_SECONDS = 5

/** Votes by batch and attester. Pure; bounded by lanes × batches × 256, and every vote in it has a valid signature. */
export class VoteBook {
  readonly #domain: AttestDomain
  readonly #batches = new Map<Hex, { batch: KnownBatch; votes: Map<number, HeldVote> }>()
  readonly #lanes = new Map<number, Hex[]>()
  readonly #early = new Map<number, Map<Hex, { vote: HeldVote }>>()

  constructor(domain: AttestDomain) {
    this.#domain = domain
  }

  /** Batches, oldest first. */
  lane(lane: number): readonly BatchVotes[] {
    return (this.#lanes.get(lane) ?? []).map((headerHash) => this.#batches.get(headerHash)!)
  }

  get lanes(): readonly number[] {
    return [...this.#lanes.keys()]
  }

  /** A batch that was found right. One with another hash at its index, and what followed that, have left L1. */
  know(batch: KnownBatch): void {
    const { header, headerHash } = batch
    if (this.#batches.has(headerHash)) return
    const known = this.#lanes.get(header.lane) ?? []
    const gone = known.filter((hash) => this.#batches.get(hash)!.batch.header.index >= header.index)
    const kept = known.filter((hash) => !gone.includes(hash))
    kept.push(headerHash)
    gone.push(...kept.splice(0, Math.max(0, kept.length - BATCHES_A_LANE)))
    for (const hash of gone) this.#batches.delete(hash)
    this.#lanes.set(header.lane, kept)
    const votes = new Map<number, HeldVote>()
    this.#batches.set(headerHash, { batch, votes })
    for (const [attester, early] of this.#early) {
      const held = early.get(headerHash)
      if (held !== undefined) votes.set(attester, held.vote)
      early.delete(headerHash)
    }
  }

  /** Takes in what a peer told. `nowSeconds` of our clock. */
  take(vote: Vote, roster: Roster, nowSeconds: number): Verdict {
    if (Math.abs(vote.toldAt - nowSeconds) > TOLD_TOLERANCE_SECONDS) return 'ignore'
    const seat = roster.seats.get(vote.attester)
    // We may be behind L1, or the peer may be.
    if (seat === undefined || seat.releaseAt !== 0) return 'ignore'
    const known = this.#batches.get(vote.headerHash)
    const held = known?.votes.get(vote.attester) ?? this.#early.get(vote.attester)?.get(vote.headerHash)?.vote
    if (held?.keyHash === seat.keyHash) {
      // A BLS signature is the only one of its key and message.
      if (Buffer.compare(held.bytes, vote.signature) !== 0) return 'reject'
      if (vote.toldAt < held.toldAt + TOLD_AGAIN_SECONDS) return 'ignore'
      held.toldAt = vote.toldAt
      return known === undefined ? 'ignore' : 'accept'
    }
    const signature = parseBlsSignature(vote.signature)
    if (!verifyBls(seat.key, attestMessage(this.#domain, vote.headerHash), signature)) return 'reject'
    const { signature: bytes, toldAt } = vote
    const fresh: HeldVote = { signature: signature!, bytes, keyHash: seat.keyHash, toldAt }
    if (known === undefined) {
      this.#keepEarly(vote.attester, vote.headerHash, fresh)
      return 'ignore'
    }
    known.votes.set(vote.attester, fresh)
    return 'accept'
  }

  /** Votes that count now: of attesters who still hold the key they signed with, and are not leaving. */
  tally(headerHash: Hex, roster: Roster): Tally {
    const votes = this.#batches.get(headerHash)?.votes ?? new Map<number, HeldVote>()
    const signers: Seat[] = []
    const signatures: BlsSignature[] = []
    let signedMicro = 0n
    for (const id of [...votes.keys()].sort((a, b) => a - b)) {
      const seat = roster.seats.get(id)
      const vote = votes.get(id)!
      if (seat === undefined || seat.releaseAt !== 0 || seat.keyHash !== vote.keyHash) continue
      signers.push(seat)
      signatures.push(vote.signature)
      signedMicro += seat.stakeMicro
    }
    const { totalMicro } = roster
    return { signers, signatures, signedMicro, totalMicro, isQuorum: isQuorum(signedMicro, totalMicro) }
  }

  #keepEarly(attester: number, headerHash: Hex, vote: HeldVote): void {
    const early = this.#early.get(attester) ?? new Map<Hex, { vote: HeldVote }>()
    this.#early.set(attester, early)
    early.set(headerHash, { vote })
    if (early.size > EARLY_VOTES_AN_ATTESTER) early.delete(early.keys().next().value!)
  }
}
