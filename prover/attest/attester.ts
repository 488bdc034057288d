import type { SecretKey } from '@chainsafe/blst'
import type { Hex } from 'viem'
import { type Roster, RosterReader, type Seat } from '../../l1/attest/roster.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { toHex } from '../../l1/bytes.ts'
import type { L1Client } from '../../l1/client.ts'
import type { Contracts } from '../../l1/contracts.ts'
import { l1Error } from '../../l1/errors.ts'
import type { L1Follower } from '../../l1/follow.ts'
import { type AttestDomain, attestMessage } from '../../protocol/attestation.ts'
import { blsKeyBytes } from '../../protocol/bls.ts'
import { WINDOW_SECONDS } from '../../protocol/limits.ts'
import { BackfeedError, describeError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Component, ComponentContext } from '../../runtime/service.ts'
import { PokableTimer } from '../../runtime/pokableTimer.ts'
import type { AttestMetrics } from './attestMetrics.ts'
import type { AttestStatus, LaneAttestStatus } from './attestStatus.ts'
import type { Poster } from './poster.ts'
import type { SignedLog } from './signedLog.ts'
import { decodeVote, encodeVote } from './vote.ts'
import { type KnownBatch, type Verdict, VoteBook } from './voteBook.ts'

export interface AttesterSettings {
  readonly client: L1Client
  readonly contracts: Contracts
  readonly follower: L1Follower
  readonly key: SecretKey
  readonly signed: SignedLog
  /** Between tellings of our own votes that are not on L1 yet, milliseconds. */
  readonly tellMs: number
  readonly metrics: AttestMetrics
  readonly log: Logger
  publish(data: Uint8Array): Promise<void>
  readonly poster: Poster
}

/** Batches found right and not yet taken in: replay waits for nobody, and only the newest matter. */
const MOST_FRESH = 4_096
const NOBODY: Roster = { seats: new Map(), totalMicro: 0n }

/**
 * Signs what the replay found right, collects what other attesters signed, and sees to it that somebody posts it. One loop does all of
 * it in turn; only the judging of peers' messages happens between its steps, and that touches votes alone.
 */
export class Attester implements Component {
  readonly name = 'attester'
  readonly #settings: AttesterSettings
  readonly #log: Logger
  readonly #domain: AttestDomain
  readonly #ownKey: Hex
  readonly #votes: VoteBook
  readonly #reader: RosterReader
  #roster = NOBODY
  #rosterBlock = -1n
  #fresh: KnownBatch[] = []
  /** Refused: another batch was signed under the index, and L1 still has it. */
  readonly #refused = new Map<Hex, KnownBatch>()
  /** By the steady clock. */
  #toldAtMs = 0
  #isUntold = false
  #trouble: BackfeedError | undefined
  readonly #stopping = new AbortController()
  readonly #timer = new PokableTimer(this.#stopping.signal)
  #running: Promise<void> | undefined

  constructor(settings: AttesterSettings) {
    const { client, contracts, key, log } = settings
    this.#settings = settings
    this.#log = log.child({ stage: 'attest' })
    this.#domain = { chainId: BigInt(client.chain.id), attesters: contracts.attesters }
    this.#ownKey = toHex(blsKeyBytes(key.toPublicKey()))
    this.#votes = new VoteBook(this.#domain)
    this.#reader = new RosterReader(client, contracts)
  }

  async start(context: ComponentContext): Promise<void> {
    await this.#readRoster()
    if (this.#seat === undefined) this.#log.warn('the key is no attester’s: it signs once it has joined')
    const unsubscribe = this.#settings.follower.onUpdate(() => this.#timer.poke())
    this.#running = this.#run()
      .catch((error: unknown) => context.fail(error))
      .finally(unsubscribe)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /** A batch that re-execution found right. */
  onRight(batch: KnownBatch): void {
    this.#fresh.push(batch)
    if (this.#fresh.length > MOST_FRESH) this.#fresh.shift()
    this.#timer.poke()
  }

  /** What a peer told. Never throws. */
  onMessage(data: Uint8Array): Verdict {
    const vote = decodeVote(data)
    const verdict = vote === undefined ? 'reject' : this.#votes.take(vote, this.#roster, Math.floor(Date.now() / 1_000))
    this.#settings.metrics.received(verdict)
    if (verdict === 'accept') this.#timer.poke()
    return verdict
  }

  status(): Omit<AttestStatus, 'peers' | 'deniedPeers' | 'listening'> {
    const seat = this.#seat
    const lanes = this.#votes.lanes.flatMap((lane): LaneAttestStatus[] => {
      const newest = this.#votes.lane(lane).at(-1)
      if (newest === undefined) return []
      const { header, headerHash } = newest.batch
      const { signers, signedMicro } = this.#votes.tally(headerHash, this.#roster)
      const attestedIndex = this.#settings.poster.attestedIndex(lane)
      const signed = { index: header.index, headerHash, signers: signers.map(({ id }) => id), signedMicro }
      return [{ lane, ...signed, ...(attestedIndex === undefined ? {} : { attestedIndex }) }]
    })
    return {
      ...(seat === undefined
        ? {}
        : { attester: seat.id, stakeMicro: seat.stakeMicro, isLeaving: seat.releaseAt !== 0 }),
      attesters: this.#roster.seats.size,
      totalStakeMicro: this.#roster.totalMicro,
      lanes,
      posted: this.#settings.poster.posted,
      refused: this.#refused.size,
    }
  }

  problems(): { code: string; message: string; lane?: number }[] {
    const refused = [...this.#refused.values()].map(({ header: { lane, index } }) => ({
      code: 'ATTEST_CONFLICT',
      lane,
      message: `lane ${lane}: L1 shows two batches ${index}, and the other one is signed: is the L1 node honest?`,
    }))
    const trouble = this.#trouble === undefined ? [] : [{ code: this.#trouble.code, message: this.#trouble.message }]
    return [...refused, ...trouble]
  }

  get #seat(): Seat | undefined {
    for (const seat of this.#roster.seats.values()) if (seat.keyHex === this.#ownKey) return seat
    return undefined
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#step()
        this.#trouble = undefined
      } catch (error) {
        // L1 being away passes, and so does a full disk; damage does not.
        if (!(error instanceof BackfeedError) || error.code === 'DATA_CORRUPTED') throw error
        if (this.#trouble === undefined) this.#log.warn({ err: error }, `attesting waits: ${describeError(error)}`)
        this.#trouble = error
      }
      await this.#timer.pause(Math.min(this.#settings.tellMs, 1_000))
    }
  }

  async #step(): Promise<void> {
    await this.#readRoster()
    const headSeconds = this.#settings.follower.head.timestamp
    for (const batch of this.#fresh.splice(0)) {
      if (batch.submittedAt + WINDOW_SECONDS > headSeconds) this.#votes.know(batch)
    }
    for (const lane of this.#votes.lanes) await this.#signLane(lane)
    await this.#tell()
    for (const lane of this.#votes.lanes)
      await this.#settings.poster.consider(this.#votes, lane, this.#roster, this.#seat)
  }

  async #readRoster(): Promise<void> {
    const { number } = this.#settings.follower.head
    if (number === this.#rosterBlock) return
    this.#roster = await this.#reader.read(number)
    this.#rosterBlock = number
  }

  async #signLane(lane: number): Promise<void> {
    const seat = this.#seat
    if (seat === undefined || seat.releaseAt !== 0) return
    for (const { batch, votes } of this.#votes.lane(lane)) {
      if (votes.get(seat.id)?.keyHash === seat.keyHash) continue
      if (!(await this.#maySign(batch))) continue
      const { header, headerHash } = batch
      await this.#settings.signed.add({ lane, index: header.index, headerHash })
      const signature = this.#settings.key.sign(attestMessage(this.#domain, headerHash)).toBytes(true)
      const toldAt = Math.floor(Date.now() / 1_000)
      this.#votes.take({ toldAt, attester: seat.id, headerHash, signature }, this.#roster, toldAt)
      this.#isUntold = true
      this.#settings.metrics.signed()
      this.#log.info({ lane, batch: Number(header.index), headerHash, attester: seat.id }, 'batch signed')
    }
  }

  /** Never two batches of one index, unless L1 no longer has the first: a reorganisation took it, or a proof. */
  async #maySign(batch: KnownBatch): Promise<boolean> {
    const { lane, index } = batch.header
    const { headerHash } = batch
    const first = this.#settings.signed.get(lane, index)
    if (first === undefined || first === headerHash) return true
    const { client, contracts } = this.#settings
    const rollup = { address: contracts.rollup, abi: rollupAbi } as const
    try {
      const [word, { tip }] = await Promise.all([
        client.readContract({ ...rollup, functionName: 'ringWordAt', args: [lane, index] }),
        client.readContract({ ...rollup, functionName: 'lane', args: [lane] }),
      ])
      const isFirstThere = tip >= index && word.slice(0, 58) === first.slice(0, 58)
      if (!isFirstThere) {
        this.#refused.delete(headerHash)
        return true
      }
    } catch (cause) {
      throw l1Error(`looking whether batch ${index} of lane ${lane} is another one`, cause)
    }
    if (!this.#refused.has(headerHash))
      this.#log.error(
        { lane, batch: Number(index), first, headerHash },
        'NOT SIGNED: another batch of this index is signed and on L1',
      )
    if (this.#refused.size < 64) this.#refused.set(headerHash, batch)
    return false
  }

  /** Our own votes of batches that are not attested: at once, and again now and then for who came later. */
  async #tell(): Promise<void> {
    const seat = this.#seat
    const steadyMs = performance.now()
    if (seat === undefined || (!this.#isUntold && steadyMs - this.#toldAtMs < this.#settings.tellMs)) return
    this.#toldAtMs = steadyMs
    const toldAt = Math.floor(Date.now() / 1_000)
    this.#isUntold = false
    for (const lane of this.#votes.lanes) {
      const attested = this.#settings.poster.attestedIndex(lane) ?? 0n
      for (const { batch, votes } of this.#votes.lane(lane)) {
        const vote = votes.get(seat.id)
        if (vote === undefined || vote.keyHash !== seat.keyHash || batch.header.index <= attested) continue
        const { headerHash } = batch
        await this.#settings.publish(encodeVote({ toldAt, attester: seat.id, headerHash, signature: vote.bytes }))
      }
    }
  }
}
