import { type Address, BaseError, type Hex } from 'viem'
import { errorsAbi } from '../../l1/abi/errors.ts'
import { fraudVerifierAbi } from '../../l1/abi/fraudVerifier.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { toHex } from '../../l1/bytes.ts'
import type { L1Client } from '../../l1/client.ts'
import { l1Error } from '../../l1/errors.ts'
import { revertError } from '../../l1/revert.ts'
import type { FraudSituation } from '../decide/nextStep.ts'
import type { FalseBatch } from '../replay/laneChecker.ts'

export interface Contracts {
  readonly rollup: Address
  readonly verifier: Address
}

/** Reads of L1 that answering a false batch takes. */
export class FraudView {
  readonly #client: L1Client
  readonly #contracts: Contracts

  constructor(client: L1Client, contracts: Contracts) {
    this.#client = client
    this.#contracts = contracts
  }

  async headBlock(): Promise<bigint> {
    return (await this.#attempt('reading the newest block', () => this.#client.getBlock())).number
  }

  /** Everything at one block: two reads at different heads could show a batch without its fate. */
  async situation(
    falsehood: FalseBatch,
    commitment: { hash: Hex; sinceBlock: number } | undefined,
  ): Promise<FraudSituation> {
    const { header } = falsehood.batch
    const rollup = { address: this.#contracts.rollup, abi: rollupAbi } as const
    return await this.#attempt(`looking at false batch ${header.index} of lane ${header.lane}`, async () => {
      const head = await this.#client.getBlock()
      const at = { blockNumber: head.number }
      const isLive = await this.#client.readContract({ ...rollup, ...at, functionName: 'isLive', args: [header] })
      const word = await this.#client.readContract({
        ...rollup,
        ...at,
        functionName: 'ringWordAt',
        args: [header.lane, header.index],
      })
      return {
        headBlock: head.number,
        headSeconds: Number(head.timestamp),
        isLive,
        submittedAt: Number.parseInt(word.slice(-8), 16),
        commitment:
          commitment === undefined
            ? undefined
            : await this.#committed(commitment.hash, commitment.sinceBlock, head.number),
      }
    })
  }

  /** What the verifier makes of the proof, without a commitment and without spending anything. Throws L1_REVERTED for a bad witness. */
  async execute(falsehood: FalseBatch, proof: Hex): Promise<{ claimed: Hex; computed: Hex }> {
    const { rollup, verifier } = this.#contracts
    const { header } = falsehood.batch
    return await this.#attempt('executing a fraud proof', async () => {
      const of = { address: rollup, abi: rollupAbi, args: [header.lane] } as const
      const [zone, scheme, domain] = await Promise.all([
        this.#client.readContract({ ...of, functionName: 'zoneOf' }),
        this.#client.readContract({ ...of, functionName: 'schemeOf' }),
        this.#client.readContract({ ...of, functionName: 'domainOf' }),
      ])
      const [claimed, computed] = await this.#client.readContract({
        address: verifier,
        abi: fraudVerifierAbi,
        functionName: 'execute',
        args: [header, { zone, scheme, domain, parentRoot: falsehood.parent.postRoot }, falsehood.chunk, proof],
      })
      return { claimed, computed }
    })
  }

  /** A commitment counts whoever sent it: one that was copied and sent before ours serves us as well. */
  async #committed(commitment: Hex, sinceBlock: number, head: bigint): Promise<FraudSituation['commitment']> {
    const logs = await this.#client.getContractEvents({
      address: this.#contracts.rollup,
      abi: rollupAbi,
      eventName: 'FraudCommitted',
      args: { commitment },
      fromBlock: BigInt(sinceBlock),
      toBlock: head,
    })
    const log = logs.at(-1)
    if (log === undefined) return undefined
    const block = await this.#client.getBlock({ blockNumber: log.blockNumber })
    return { block: log.blockNumber, seconds: Number(block.timestamp) }
  }

  async #attempt<T>(what: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      throw (error instanceof BaseError ? revertError(what, error, errorsAbi) : undefined) ?? l1Error(what, error)
    }
  }
}

export function agrees(falsehood: FalseBatch, executed: { claimed: Hex; computed: Hex }): boolean {
  return executed.claimed === toHex(falsehood.claimed) && executed.computed === toHex(falsehood.computed)
}
