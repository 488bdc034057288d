import type { Abi, Address, TransactionReceipt } from 'viem'
import { BackfeedError } from '../../runtime/errors.ts'
import type { L1Client } from '../client.ts'
import { l1Error } from '../errors.ts'
import { findReceipt } from './chainView.ts'
import { explainFailure } from './simulate.ts'
import type { Inclusion, TxRecord } from './txRecord.ts'
import type { TxSigner } from './txSigner.ts'
import { type TxStage, TxWaiters } from './txWaiters.ts'

/** What became of transactions, for whoever waits for it or asks later: a receipt, or why there is none. */
export class TxResults {
  readonly #client: L1Client
  readonly #address: Address
  readonly #abi: Abi
  readonly #signer: TxSigner
  readonly #waiters = new TxWaiters()

  constructor(input: { client: L1Client; address: Address; abi: Abi; signer: TxSigner }) {
    this.#client = input.client
    this.#address = input.address
    this.#abi = input.abi
    this.#signer = input.signer
  }

  /** The result of a transaction that was sent, now or once it has come so far. */
  async of(record: TxRecord, until: TxStage): Promise<TransactionReceipt> {
    const { status } = record
    const isThere = status.kind === 'final' || (status.kind === 'mined' && until === 'mined')
    if (!isThere) return await this.#waiters.wait(record.id, until)
    const failure = await this.failureOf(record, status.inclusion)
    if (failure !== undefined) throw failure
    const receipt = await findReceipt(this.#client, status.inclusion.hash).catch((cause: unknown) => {
      throw l1Error(`reading the receipt of ${record.label}`, cause)
    })
    if (receipt !== undefined) return receipt
    if (status.kind === 'mined') return await this.#waiters.wait(record.id, until)
    throw new BackfeedError('FINALITY_VIOLATED', `the receipt of final transaction ${status.inclusion.hash} is gone`)
  }

  /** The result of one that is still queued. */
  wait(id: string, until: TxStage): Promise<TransactionReceipt> {
    return this.#waiters.wait(id, until)
  }

  /** Answers those who wait for this stage, with the failure if there is one. */
  settle(id: string, stage: TxStage, result: { receipt: TransactionReceipt; failure: unknown }): void {
    const { receipt, failure } = result
    if (failure === undefined) this.#waiters.resolve(id, stage, receipt)
    // Once mined it may still be reorganised and succeed: those who wait for `final` go on waiting.
    else if (stage === 'mined') this.#waiters.rejectOne(id, stage, failure)
    else this.#waiters.reject(id, failure)
  }

  reject(id: string, error: unknown): void {
    this.#waiters.reject(id, error)
  }

  rejectAll(error: unknown): void {
    this.#waiters.rejectAll(error)
  }

  /** Why the attempt that is in a block didn't do what was asked; undefined if it did. Needs the blobs of a blob transaction. */
  async failureOf(record: TxRecord, inclusion: Inclusion): Promise<unknown> {
    const attempt = record.attempts.find((candidate) => candidate.hash === inclusion.hash)
    if (attempt?.purpose === 'cancel') return cancelledError(record.id)
    if (inclusion.succeeded) return undefined
    const versionedHashes = await this.#signer.versionedHashes(record)
    const maxFeePerBlobGas = attempt?.fees.maxFeePerBlobGas ?? 1n
    const failed = { record, inclusion, versionedHashes, maxFeePerBlobGas }
    return await explainFailure(this.#client, this.#address, failed, this.#abi)
  }
}

export function cancelledError(id: string): BackfeedError {
  return new BackfeedError('TX_CANCELLED', `transaction ${id} was cancelled`)
}
