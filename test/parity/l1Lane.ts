import assert from 'node:assert/strict'
import {
  type Abi,
  type Address,
  bytesToHex,
  concat,
  createWalletClient,
  http,
  keccak256,
  parseEventLogs,
  type TransactionReceipt,
} from 'viem'
import { foundry } from 'viem/chains'
import { registryAbi } from '../../l1/abi/registry.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { tariffAbi } from '../../l1/abi/tariff.ts'
import { testDollarAbi } from '../../l1/abi/testDollar.ts'
import { vaultAbi } from '../../l1/abi/vault.ts'
import { vehicleAbi } from '../../l1/abi/vehicle.ts'
import { type Deployment, deploy } from '../../l1/deploy.ts'
import { encodeContractDescriptor, encodeEvseDescriptor } from '../../protocol/descriptor.ts'
import type { SchemeLayout } from '../../protocol/scheme.ts'
import { encodeTariff, type Tariff } from '../../protocol/tariff.ts'
import { type Anvil, anvilAccount } from '../support/anvil.ts'
import { fleetKey } from '../support/fleet.ts'
import {
  type ContractFacts,
  type EvseFacts,
  type LaneFacts,
  randomContract,
  randomEvse,
  randomPrices,
  randomTariff,
  type Stretch,
} from '../support/generators/lane.ts'
import type { Random } from '../support/generators/random.ts'

/** Of a transaction, at the most: EIP-7825 allows 16 777 216. */
const SETUP_GAS = 16_000_000n
const OPEN_END = 0xffffffff
const DEADLINE = 2n ** 63n
const NEVER = 2n ** 255n

/**
 * A lane on a real L1 node with a history: registrations before, during and after a stretch of time, slots that end in it,
 * four tariff versions, prices, fundings and a refund notice. `facts` holds what the contracts' own events said.
 */
export class L1Lane {
  readonly lane = 0
  readonly zone = 0
  readonly deployment: Deployment
  readonly #anvil: Anvil
  readonly #random: Random
  readonly #evses: EvseFacts[] = []
  readonly #contracts: ContractFacts[] = []
  readonly #tariffs: { fromPeriod: number; tariff: Tariff }[] = []
  readonly #prices = new Map<number, number>()
  readonly #checkpoints: { effectiveFrom: number; fundedMicro: bigint }[] = []

  readonly #layout: SchemeLayout

  private constructor(anvil: Anvil, random: Random, deployment: Deployment, layout: SchemeLayout) {
    this.#layout = layout
    this.#anvil = anvil
    this.#random = random
    this.deployment = deployment
  }

  /** The node's clock must stand at least 3 h before the stretch; afterwards it is past its end. */
  static async open(anvil: Anvil, random: Random, stretch: Stretch, layout: SchemeLayout): Promise<L1Lane> {
    const deployment = await deploy(walletOf(anvil), anvil.publicClient)
    const lane = new L1Lane(anvil, random, deployment, layout)
    await lane.#start()
    await lane.#live(stretch)
    return lane
  }

  get facts(): LaneFacts {
    return {
      layout: this.#layout,
      evses: this.#evses,
      contracts: this.#contracts,
      tariffs: this.#tariffs,
      prices: this.#prices,
      checkpoints: this.#checkpoints,
    }
  }

  async #start(): Promise<void> {
    const { token, registry, vault, rollup } = this.deployment
    const self = anvilAccount(0).address
    await this.#send(registry, registryAbi, 'openZone', [self, self])
    await this.#send(rollup, rollupAbi, 'openLane', [this.zone, self, this.#layout.scheme])
    await this.#send(token, testDollarAbi, 'mint', [self, 2n ** 95n])
    for (const spender of [registry, vault]) await this.#send(token, testDollarAbi, 'approve', [spender, NEVER])
  }

  async #live(stretch: Stretch): Promise<void> {
    const random = this.#random
    const length = stretch.to - stretch.from
    const at = (share: number): Promise<void> => this.#anvil.warpTo(stretch.from + Math.floor(length * share))
    const [first, last] = [stretch.from / 900, stretch.to / 900]
    const middle = Math.floor((first + last) / 2)

    for (const fromPeriod of [first + 3, middle, middle + 7, last - 20]) await this.#setTariff(fromPeriod)
    await this.#setPrices(first, last)
    await this.#register(14)
    for (const slot of [1, 2, 3]) await this.#end(slot, stretch.from + random.int(length / 4, length))
    await at(0.15)
    for (let i = 0; i < 3; i++) await this.#fund(BigInt(random.logInt(1_000, 2 ** 40)))
    await at(0.35)
    await this.#register(4)
    await this.#end(15, stretch.from + random.int(Math.floor(length * 0.6), length))
    await this.#fund(BigInt(random.logInt(2 ** 30, 2 ** 42)))
    await at(0.6)
    const funded = this.#checkpoints.at(-1)!.fundedMicro
    await this.#checkpointBy(this.deployment.vault, vaultAbi, 'noticeRefund', [this.lane, funded / 3n])
    await at(0.8)
    await this.#fund(BigInt(random.logInt(2 ** 34, 2 ** 44)))
    await this.#anvil.warpTo(stretch.to)
    // In nobody's sight yet.
    await this.#register(3)
    await this.#fund(2n ** 60n)
    await this.#setTariff(last + 100)
  }

  async #setTariff(fromPeriod: number): Promise<void> {
    const tariff = randomTariff(this.#random)
    const { tariff: address } = this.deployment
    await this.#send(address, tariffAbi, 'setTariff', [this.lane, fromPeriod, bytesToHex(encodeTariff(tariff))])
    this.#tariffs.push({ fromPeriod, tariff })
  }

  async #setPrices(first: number, last: number): Promise<void> {
    const prices = randomPrices(this.#random, { first, last })
    const list = Array.from({ length: last - first + 1 }, (_, i) => prices.get(first + i) ?? 0)
    await this.#send(this.deployment.tariff, tariffAbi, 'setPrices', [this.zone, first, list])
    for (const [period, price] of prices) this.#prices.set(period, price)
    // A correction of one period among the eight of its word.
    await this.#send(this.deployment.tariff, tariffAbi, 'setPrices', [this.zone, first + 9, [777]])
    this.#prices.set(first + 9, 777)
  }

  async #register(count: number): Promise<void> {
    const random = this.#random
    const { registry, vehicle } = this.deployment
    const account = anvilAccount(0)
    const keys = Array.from({ length: count }, () => fleetKey(this.#layout, random))
    const evses = keys.map((key) => ({ ...randomEvse(random), key: key.publicKey }))
    const descriptors = bytesToHex(concat(evses.map(encodeEvseDescriptor)))
    const certificate = await account.signTypedData({
      domain: { name: 'Backfeed', version: '1', chainId: foundry.id, verifyingContract: registry },
      types: {
        Certificate: [
          { name: 'lane', type: 'uint32' },
          { name: 'firstSlot', type: 'uint32' },
          { name: 'descriptorsHash', type: 'bytes32' },
          { name: 'deadline', type: 'uint64' },
        ],
      },
      primaryType: 'Certificate',
      message: {
        lane: this.lane,
        firstSlot: this.#evses.length,
        descriptorsHash: keccak256(descriptors),
        deadline: DEADLINE,
      },
    })
    const registered = await this.#send(registry, registryAbi, 'registerMany', [
      this.lane,
      descriptors,
      DEADLINE,
      certificate,
      concat(keys.map((key) => bytesToHex(key.possession()))),
    ])
    const [evsesEvent] = parseEventLogs({ abi: registryAbi, logs: registered.logs, eventName: 'EvsesRegistered' })
    for (const [i, key] of keys.entries()) {
      this.#evses.push({ key, descriptor: evses[i]!, activeFrom: evsesEvent!.args.activeFrom, endsAt: OPEN_END })
    }

    await this.#send(vehicle, vehicleAbi, 'mintMany', [Array<Address>(count).fill(account.address)])
    const contracts = keys.map((_, i) => randomContract(random, this.#contracts.length + i))
    const enrolled = await this.#send(registry, registryAbi, 'enrolMany', [
      this.lane,
      bytesToHex(concat(contracts.map(encodeContractDescriptor))),
      DEADLINE,
      contracts.map(() => '0x' as const),
    ])
    const [contractsEvent] = parseEventLogs({ abi: registryAbi, logs: enrolled.logs, eventName: 'ContractsEnrolled' })
    for (const descriptor of contracts) {
      this.#contracts.push({ descriptor, activeFrom: contractsEvent!.args.activeFrom, endsAt: OPEN_END })
    }
  }

  /** Ends EVSE and contract `slot`. */
  async #end(slot: number, endsAt: number): Promise<void> {
    const { registry } = this.deployment
    await this.#send(registry, registryAbi, 'endEvse', [this.lane, slot, endsAt])
    this.#evses[slot] = { ...this.#evses[slot]!, endsAt }
    await this.#send(registry, registryAbi, 'endContract', [this.lane, slot, endsAt + 60, '0x'])
    this.#contracts[slot] = { ...this.#contracts[slot]!, endsAt: endsAt + 60 }
  }

  #fund(amount: bigint): Promise<void> {
    return this.#checkpointBy(this.deployment.vault, vaultAbi, 'fund', [this.lane, amount])
  }

  async #checkpointBy(address: Address, abi: Abi, functionName: string, args: readonly unknown[]): Promise<void> {
    const receipt = await this.#send(address, abi, functionName, args)
    const [event] = parseEventLogs({ abi: vaultAbi, logs: receipt.logs, eventName: 'CheckpointAdded' })
    const { index, effectiveFrom, funded } = event!.args
    this.#checkpoints[index] = { effectiveFrom, fundedMicro: funded }
  }

  async #send(address: Address, abi: Abi, functionName: string, args: readonly unknown[]): Promise<TransactionReceipt> {
    // Estimated in one second and mined in a later one, a funding takes a checkpoint of its own.
    const hash = await walletOf(this.#anvil).writeContract({ address, abi, functionName, args, gas: SETUP_GAS })
    const receipt = await this.#anvil.publicClient.waitForTransactionReceipt({ hash })
    assert.equal(receipt.status, 'success', functionName)
    return receipt
  }
}

function walletOf(anvil: Anvil) {
  return createWalletClient({ account: anvilAccount(0), chain: foundry, transport: http(anvil.url) })
}
