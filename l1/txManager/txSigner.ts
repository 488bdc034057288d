import { type Hex, keccak256 } from 'viem'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { type BlobSidecar, emptySidecar, type SignedTransaction, signBlobTransaction } from '../blobTransaction.ts'
import type { L1Account } from '../client.ts'
import type { Attempt, TxRecord } from './txRecord.ts'
import type { TxStore } from './txStore.ts'

const CANCEL_GAS = 21_000n

/** Turns records and offers into signed bytes, and keeps the blobs of what is under way at hand. */
export class TxSigner {
  readonly #account: L1Account
  readonly #chainId: number
  readonly #store: TxStore
  readonly #sidecars = new Map<string, BlobSidecar>()

  constructor(input: { account: L1Account; chainId: number; store: TxStore }) {
    this.#account = input.account
    this.#chainId = input.chainId
    this.#store = input.store
  }

  /** Durable before it returns: the record that needs it is written after. */
  async keepSidecar(id: string, sidecar: BlobSidecar): Promise<void> {
    await this.#store.putSidecar(id, sidecar)
    this.#sidecars.set(id, sidecar)
  }

  async dropSidecar(id: string): Promise<void> {
    await this.#store.deleteSidecar(id)
    this.#sidecars.delete(id)
  }

  async versionedHashes(record: TxRecord): Promise<readonly Hex[]> {
    return (await this.#sidecarOf(record))?.versionedHashes ?? []
  }

  async sign(record: TxRecord, offer: Omit<Attempt, 'hash'>): Promise<SignedTransaction> {
    const isCancel = offer.purpose === 'cancel'
    const common = {
      chainId: this.#chainId,
      nonce: offer.nonce,
      to: isCancel ? this.#account.address : record.to,
      data: isCancel ? ('0x' as Hex) : record.data,
      value: isCancel ? 0n : record.value,
      gas: isCancel ? CANCEL_GAS : record.gas,
      maxFeePerGas: offer.fees.maxFeePerGas,
      maxPriorityFeePerGas: offer.fees.maxPriorityFeePerGas,
    }
    if (record.kind === 'plain') {
      const raw = await this.#account.signTransaction({ ...common, type: 'eip1559' })
      return { raw, hash: keccak256(raw) }
    }
    // A pool lets nothing but a blob transaction take the place of one.
    const sidecar = isCancel ? emptySidecar() : await this.#sidecarOf(record)
    if (sidecar === undefined) {
      throw new BackfeedError('DATA_CORRUPTED', `the stored blobs of ${record.id} are missing`, {
        exitCode: ExitCode.dataCorrupted,
      })
    }
    return await signBlobTransaction(
      this.#account,
      { ...common, maxFeePerBlobGas: offer.fees.maxFeePerBlobGas },
      sidecar,
    )
  }

  async #sidecarOf(record: TxRecord): Promise<BlobSidecar | undefined> {
    if (record.kind !== 'blob') return undefined
    const held = this.#sidecars.get(record.id)
    if (held !== undefined) return held
    const stored = await this.#store.getSidecar(record.id)
    if (stored !== undefined) this.#sidecars.set(record.id, stored)
    return stored
  }
}
