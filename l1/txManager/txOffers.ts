import type { Logger } from '../../runtime/log.ts'
import type { SignedTransaction } from '../blobTransaction.ts'
import type { L1Client } from '../client.ts'
import { l1Error } from '../errors.ts'
import { classifyBroadcastError } from './broadcastError.ts'
import type { Watch } from './decide.ts'
import type { Fees } from './feeRules.ts'
import type { TxBook } from './txBook.ts'
import type { TxEvent } from './txEvents.ts'
import type { Attempt, TxRecord } from './txRecord.ts'
import type { TxSigner } from './txSigner.ts'

export interface TxOffersInput {
  readonly client: L1Client
  readonly book: TxBook
  readonly signer: TxSigner
  readonly log: Logger
  readonly now: () => number
  readonly emit: (event: TxEvent) => void
  /** L1 says that it will never take the transaction. */
  readonly onRefused: (record: TxRecord, cause: unknown) => Promise<void>
}

/** Makes fee offers for transactions and brings them to the pool. */
export class TxOffers {
  readonly #input: TxOffersInput

  constructor(input: TxOffersInput) {
    this.#input = input
  }

  /** Signs an offer, writes it down, broadcasts it: in this order, so that no transaction of ours is ever unknown to us. */
  async offer(record: TxRecord, watch: Watch, fees: Fees, purpose: Attempt['purpose']): Promise<void> {
    const { signer, book, emit, now } = this.#input
    const unsigned = { nonce: record.nonce, fees, purpose, sentAtMs: now() }
    const signed = await signer.sign(record, unsigned)
    const attempt: Attempt = { ...unsigned, hash: signed.hash }
    const isFirst = record.attempts.length === 0
    const saved = await book.save({ ...record, attempts: [...record.attempts, attempt] })
    watch.underpriced = false
    emit({ kind: isFirst ? 'sent' : 'replaced', record: saved, attempt })
    await this.#broadcast(saved, watch, attempt, signed)
  }

  /** Shows the pool an offer again. */
  async repeat(record: TxRecord, watch: Watch, attempt: Attempt): Promise<void> {
    await this.#broadcast(record, watch, attempt, await this.#input.signer.sign(record, attempt))
  }

  async #broadcast(record: TxRecord, watch: Watch, attempt: Attempt, signed: SignedTransaction): Promise<void> {
    const { client, log, now } = this.#input
    watch.lastBroadcastMs = now()
    try {
      await client.sendRawTransaction({ serializedTransaction: signed.raw })
      return
    } catch (error) {
      const outcome = classifyBroadcastError(error)
      const fields = { err: error, tx: record.id, nonce: attempt.nonce, outcome }
      if (outcome === 'accepted') return
      // Whether it arrived is unknown: the next look tells, or the next broadcast.
      if (outcome === 'unreachable') throw l1Error(`broadcasting ${record.label}`, error)
      if (outcome === 'underpriced') watch.underpriced = true
      if (outcome !== 'refused') {
        log.debug(fields, 'broadcast answered')
        return
      }
      log.error(fields, `L1 refuses ${record.label}`)
      await this.#input.onRefused(record, error)
    }
  }
}
