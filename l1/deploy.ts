import {
  type Account,
  type Address,
  type Chain,
  encodeDeployData,
  erc20Abi,
  getContractAddress,
  type Hex,
  type PublicClient,
  type Transport,
  type WalletClient,
} from 'viem'
import { attestersAbi } from './abi/attesters.ts'
import { bytecode } from './abi/bytecode.ts'
import { courtAbi } from './abi/court.ts'
import { forcedQueueAbi } from './abi/forcedQueue.ts'
import { fraudVerifierAbi } from './abi/fraudVerifier.ts'
import { promisesAbi } from './abi/promises.ts'
import { registryAbi } from './abi/registry.ts'
import { rollupAbi } from './abi/rollup.ts'
import { tariffAbi } from './abi/tariff.ts'
import { vaultAbi } from './abi/vault.ts'
import { vehicleAbi } from './abi/vehicle.ts'

export interface DeployOptions {
  /** The settlement token, 6 decimals. Without one a TestDollar that anyone can mint is deployed: devnets only. */
  token?: Address
}

export interface Deployment {
  rollup: Address
  registry: Address
  tariff: Address
  vault: Address
  vehicle: Address
  verifier: Address
  forcedQueue: Address
  attesters: Address
  court: Address
  promises: Address
  trustedSetup: Address
  token: Address
  /** Where to begin reading events. */
  deployedAtBlock: bigint
}

type Wallet = WalletClient<Transport, Chain, Account>

/**
 * Deploys one Backfeed. The contracts know each other by immutable addresses, in circles: what isn't there yet is named by the
 * address that its CREATE nonce will give it. Nothing else may use the account meanwhile.
 */
export async function deploy(
  walletClient: Wallet,
  publicClient: PublicClient,
  options: DeployOptions = {},
): Promise<Deployment> {
  if (options.token) await requireSixDecimals(publicClient, options.token)
  const sender = new Deployer(walletClient, publicClient, await nextNonce(walletClient, publicClient))
  const vehicle = await sender.send(encodeDeployData({ abi: vehicleAbi, bytecode: bytecode.Vehicle }))
  const token = options.token ?? (await sender.send(bytecode.TestDollar))
  const trustedSetup = await sender.send(bytecode.TrustedSetup)
  // The verifier looks at the trusted setup's code when it is created.
  const deployedAtBlock = await sender.settle()

  const verifier = sender.addressAhead(0)
  const rollup = sender.addressAhead(1)
  const registry = sender.addressAhead(2)
  const tariff = sender.addressAhead(3)
  const vault = sender.addressAhead(4)
  const forcedQueue = sender.addressAhead(5)
  const attesters = sender.addressAhead(6)
  const court = sender.addressAhead(7)
  const promises = sender.addressAhead(8)
  await sender.send(
    encodeDeployData({
      abi: fraudVerifierAbi,
      bytecode: bytecode.FraudVerifier,
      args: [registry, tariff, vault, forcedQueue, trustedSetup],
    }),
  )
  await sender.send(
    encodeDeployData({
      abi: rollupAbi,
      bytecode: bytecode.Rollup,
      args: [verifier, registry, forcedQueue, promises],
    }),
  )
  await sender.send(
    encodeDeployData({
      abi: registryAbi,
      bytecode: bytecode.Registry,
      args: [rollup, tariff, vehicle, token, court],
    }),
  )
  await sender.send(encodeDeployData({ abi: tariffAbi, bytecode: bytecode.Tariff, args: [rollup, registry] }))
  await sender.send(
    encodeDeployData({
      abi: vaultAbi,
      bytecode: bytecode.Vault,
      args: [rollup, registry, vehicle, token, attesters, court],
    }),
  )
  await sender.send(encodeDeployData({ abi: forcedQueueAbi, bytecode: bytecode.ForcedQueue, args: [rollup, registry] }))
  await sender.send(encodeDeployData({ abi: attestersAbi, bytecode: bytecode.Attesters, args: [rollup, vault, token] }))
  await sender.send(
    encodeDeployData({
      abi: courtAbi,
      bytecode: bytecode.Court,
      args: [rollup, registry, vault, verifier, token],
    }),
  )
  await sender.send(encodeDeployData({ abi: promisesAbi, bytecode: bytecode.Promises, args: [rollup, verifier] }))
  await sender.settle()
  return {
    rollup,
    registry,
    tariff,
    vault,
    vehicle,
    verifier,
    forcedQueue,
    attesters,
    court,
    promises,
    trustedSetup,
    token,
    deployedAtBlock,
  }
}

/** Every amount of the protocol is in millionths; a token with other decimals would be off by powers of ten. */
async function requireSixDecimals(publicClient: PublicClient, token: Address): Promise<void> {
  const decimals = await publicClient.readContract({ address: token, abi: erc20Abi, functionName: 'decimals' })
  if (decimals !== 6) throw new Error(`token ${token} has ${decimals} decimals, not 6`)
}

function nextNonce(walletClient: Wallet, publicClient: PublicClient): Promise<number> {
  return publicClient.getTransactionCount({ address: walletClient.account.address, blockTag: 'pending' })
}

/** Sends creations one after another and waits for many of them together. */
class Deployer {
  readonly #walletClient: Wallet
  readonly #publicClient: PublicClient
  #nonce: number
  #sent: { hash: Hex; address: Address }[] = []

  constructor(walletClient: Wallet, publicClient: PublicClient, nonce: number) {
    this.#walletClient = walletClient
    this.#publicClient = publicClient
    this.#nonce = nonce
  }

  /** Address of the contract that the transaction `offset` after the next creates. */
  addressAhead(offset: number): Address {
    return getContractAddress({ from: this.#walletClient.account.address, nonce: BigInt(this.#nonce + offset) })
  }

  async send(data: Hex): Promise<Address> {
    const address = this.addressAhead(0)
    const hash = await this.#walletClient.sendTransaction({ data, nonce: this.#nonce })
    this.#nonce += 1
    this.#sent.push({ hash, address })
    return address
  }

  /** Waits for all that was sent; the block of the first. */
  async settle(): Promise<bigint> {
    const blocks: bigint[] = []
    for (const { hash, address } of this.#sent) {
      const receipt = await this.#publicClient.waitForTransactionReceipt({ hash })
      if (receipt.status !== 'success') throw new Error(`creation ${hash} of ${address} reverted`)
      if (receipt.contractAddress?.toLowerCase() !== address.toLowerCase()) {
        throw new Error(
          `creation ${hash} gave ${receipt.contractAddress}, not ${address}: was the account used meanwhile?`,
        )
      }
      blocks.push(receipt.blockNumber)
    }
    this.#sent = []
    return blocks[0]!
  }
}
