import type { Address, Hex, TransactionReceipt } from 'viem'
import { attestersAbi } from '../../l1/abi/attesters.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import type { Roster, Seat } from '../../l1/attest/roster.ts'
import { toHex } from '../../l1/bytes.ts'
import type { L1Client } from '../../l1/client.ts'
import { l1Error } from '../../l1/errors.ts'
import { attestData } from '../../l1/operate/attesters.ts'
import type { TxRequest } from '../../l1/txManager/txRecord.ts'
import { aggregateBls } from '../../protocol/bls.ts'
import { WINDOW_SECONDS } from '../../protocol/limits.ts'
import { describeError, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { AttestMetrics } from './attestMetrics.ts'
import { turnDelayMs } from './postTurn.ts'
import type { KnownBatch, VoteBook } from './voteBook.ts'

export interface PosterSettings {
  readonly client: L1Client
  readonly attesters: Address
  readonly rollup: Address
  /** Absent: it only looks what others have posted. */
  readonly sender: { send(request: TxRequest): Promise<TransactionReceipt> } | undefined
  readonly turnMs: number
  readonly metrics: AttestMetrics
  readonly log: Logger
}

/** Between looks whether a batch is attested, while others have their turn. */
const LOOK_MS = 1_000
/** After a post that L1 refused. */
const AGAIN_MS = 15_000

/** Times are by the steady clock. */
interface Watch {
  readonly headerHash: Hex
  readonly quorumAtMs: number
  lookedAtMs: number
  attempts: number
  isSending: boolean
  notBeforeMs: number
}

/** Posts the newest batch of a lane that enough stake has signed: older ones are vouched for with it. */
export class Poster {
  readonly #settings: PosterSettings
  readonly #attested = new Map<number, bigint>()
  readonly #watches = new Map<number, Watch>()
  #posted = 0

  constructor(settings: PosterSettings) {
    this.#settings = settings
  }

  get posted(): number {
    return this.#posted
  }

  /** Newest batch of the lane that was seen attested. */
  attestedIndex(lane: number): bigint | undefined {
    return this.#attested.get(lane)
  }

  /** Does what is due for the lane; does not wait for a transaction. */
  async consider(votes: VoteBook, lane: number, roster: Roster, own: Seat | undefined): Promise<void> {
    const now = performance.now()
    this.#followRollback(votes, lane)
    const after = this.#attested.get(lane) ?? 0n
    const due = votes
      .lane(lane)
      .findLast(({ batch }) => batch.header.index > after && votes.tally(batch.headerHash, roster).isQuorum)
    if (due === undefined) return
    const { batch } = due
    const watch = this.#watch(lane, batch, now)
    if (watch.isSending || now - watch.lookedAtMs < LOOK_MS) return
    watch.lookedAtMs = now
    const fate = await this.#look(batch)
    if (fate === 'attested') this.#attested.set(lane, batch.header.index)
    if (fate !== 'open' || this.#settings.sender === undefined) return
    const ids = [...roster.seats.values()].filter(({ releaseAt }) => releaseAt === 0).map(({ id }) => id)
    const { turnMs } = this.#settings
    const turn = turnDelayMs({ headerHash: batch.headerHash, ids, own: own?.id, turnMs })
    if (now < watch.quorumAtMs + turn || now < watch.notBeforeMs) return
    watch.isSending = true
    void this.#post(votes, batch, roster, watch)
  }

  /** An attested batch that fell, and everything after it, can be attested no more: what takes its place has its index. */
  #followRollback(votes: VoteBook, lane: number): void {
    const newest = votes.lane(lane).at(-1)?.batch.header.index
    const attested = this.#attested.get(lane)
    if (newest !== undefined && attested !== undefined && newest < attested) this.#attested.delete(lane)
  }

  #watch(lane: number, { headerHash }: KnownBatch, now: number): Watch {
    const known = this.#watches.get(lane)
    if (known?.headerHash === headerHash) return known
    const watch = { headerHash, quorumAtMs: now, lookedAtMs: -LOOK_MS, attempts: 0, isSending: false, notBeforeMs: 0 }
    this.#watches.set(lane, watch)
    return watch
  }

  async #look({ header, headerHash, submittedAt }: KnownBatch): Promise<'open' | 'attested' | 'gone'> {
    const { client, attesters, rollup } = this.#settings
    try {
      const head = await client.getBlock()
      if (Number(head.timestamp) >= submittedAt + WINDOW_SECONDS) return 'gone'
      const at = { blockNumber: head.number }
      const [found, isLive] = await Promise.all([
        client.readContract({
          ...at,
          address: attesters,
          abi: attestersAbi,
          functionName: 'attestation',
          args: [headerHash],
        }),
        client.readContract({ ...at, address: rollup, abi: rollupAbi, functionName: 'isLive', args: [header] }),
      ])
      if (found.status !== 0) return 'attested'
      return isLive ? 'open' : 'gone'
    } catch (cause) {
      throw l1Error(`looking whether batch ${header.index} of lane ${header.lane} is attested`, cause)
    }
  }

  async #post(votes: VoteBook, batch: KnownBatch, roster: Roster, watch: Watch): Promise<void> {
    const { attesters, sender, log, metrics } = this.#settings
    const { header, headerHash } = batch
    const fields = { lane: header.lane, batch: Number(header.index), headerHash }
    try {
      const { signers, signatures, signedMicro, totalMicro } = votes.tally(headerHash, roster)
      const bitmap = signers.reduce((bits, { id }) => bits | (1n << BigInt(id)), 0n)
      const keys: Hex = `0x${signers.map(({ keyHex }) => keyHex.slice(2)).join('')}`
      const data = attestData({ header, bitmap, keys, aggregate: toHex(aggregateBls(signatures)) })
      // An id is sent once: what a restart finds under it is how the attempt ended.
      const id = `attest:${headerHash}:${watch.attempts++}`
      const receipt = await sender!.send({ id, label: 'attest', kind: 'plain', to: attesters, data })
      this.#posted++
      this.#attested.set(header.lane, header.index)
      metrics.posted()
      const share = Number((signedMicro * 1_000n) / totalMicro) / 10
      log.info(
        { ...fields, signers: signers.length, sharePercent: share, gasUsed: Number(receipt.gasUsed) },
        'attested',
      )
    } catch (error) {
      if (isBackfeedError(error, 'TX_MANAGER_STOPPED')) return
      // Somebody was faster, or the signers changed: the next look tells.
      log.warn({ ...fields, err: error }, `attesting: ${describeError(error)}`)
      watch.notBeforeMs = performance.now() + AGAIN_MS
    } finally {
      watch.isSending = false
    }
  }
}
