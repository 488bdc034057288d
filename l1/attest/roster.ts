import { type Address, type Hex, keccak256, parseEventLogs, toEventSelector } from 'viem'
import { getAbiItem } from 'viem'
import { type BlsKey, parseBlsKey } from '../../protocol/bls.ts'
import { attestersAbi } from '../abi/attesters.ts'
import { fromHex } from '../bytes.ts'
import type { L1Client } from '../client.ts'
import type { Contracts } from '../contracts.ts'
import { l1Error } from '../errors.ts'
import { fetchLogs } from '../logs.ts'

/** Who holds an id now. */
export interface Seat {
  readonly id: number
  readonly owner: Address
  readonly stakeMicro: bigint
  /** Seconds; 0 unless leaving is announced. */
  readonly releaseAt: number
  readonly keyHash: Hex
  /** 128 bytes, EIP-2537. */
  readonly keyHex: Hex
  readonly key: BlsKey
}

export interface Roster {
  readonly seats: ReadonlyMap<number, Seat>
  /** Of those that are not leaving. */
  readonly totalMicro: bigint
}

const JOINED = [toEventSelector(getAbiItem({ abi: attestersAbi, name: 'AttesterJoined' }))]

/** Reads who may attest. Keys travel in events once; L1 keeps their hashes, by which a key is known whatever was reorganised. */
export class RosterReader {
  readonly #client: L1Client
  readonly #contracts: Contracts
  readonly #keys = new Map<Hex, { hex: Hex; key: BlsKey }>()
  #readUpTo: bigint

  constructor(client: L1Client, contracts: Contracts) {
    this.#client = client
    this.#contracts = contracts
    this.#readUpTo = BigInt(contracts.deployedAtBlock) - 1n
  }

  /** As of `blockNumber`, which the node must still know the state of. */
  async read(blockNumber: bigint): Promise<Roster> {
    const { attesters: address } = this.#contracts
    const at = { address, abi: attestersAbi, blockNumber } as const
    let answer: readonly [
      readonly number[],
      readonly { owner: Address; stake: bigint; releaseAt: bigint; keyHash: Hex }[],
    ]
    try {
      answer = await this.#client.readContract({ ...at, functionName: 'attesters' })
    } catch (cause) {
      throw l1Error('reading the attesters', cause)
    }
    const [ids, found] = answer
    if (found.some(({ keyHash }) => !this.#keys.has(keyHash))) await this.#readKeys(blockNumber)

    const seats = new Map<number, Seat>()
    const held = new Set<Hex>()
    let totalMicro = 0n
    for (const [i, id] of ids.entries()) {
      const { owner, stake, releaseAt, keyHash } = found[i]!
      held.add(keyHash)
      if (releaseAt === 0n) totalMicro += stake
      const known = this.#keys.get(keyHash)
      // Absent for a moment when a reorganisation brought a join back below what was read.
      if (known === undefined) this.#readUpTo = BigInt(this.#contracts.deployedAtBlock) - 1n
      else {
        const { hex: keyHex, key } = known
        seats.set(id, { id, owner, stakeMicro: stake, releaseAt: Number(releaseAt), keyHash, keyHex, key })
      }
    }
    for (const keyHash of this.#keys.keys()) if (!held.has(keyHash)) this.#keys.delete(keyHash)
    return { seats, totalMicro }
  }

  async #readKeys(upTo: bigint): Promise<void> {
    // A key that was dropped because its holder left may come back with another holder: then all is read again, once.
    const fromBlock = upTo > this.#readUpTo ? this.#readUpTo + 1n : BigInt(this.#contracts.deployedAtBlock)
    const addresses = [this.#contracts.attesters]
    const logs = await fetchLogs(this.#client, { addresses, topics: [JOINED], fromBlock, toBlock: upTo })
    for (const { args } of parseEventLogs({ abi: attestersAbi, eventName: 'AttesterJoined', logs })) {
      const key = parseBlsKey(fromHex(args.key))
      if (key !== undefined) this.#keys.set(keccak256(args.key), { hex: args.key, key })
    }
    this.#readUpTo = upTo
  }
}
