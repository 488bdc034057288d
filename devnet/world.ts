import { createWalletClient, custom, encodeFunctionData } from 'viem'
import { fundLane } from '../bridge/funding.ts'
import { testDollarAbi } from '../l1/abi/testDollar.ts'
import type { L1Account } from '../l1/client.ts'
import { type Caller, sendCall } from '../l1/contractCall.ts'
import { type Deployment, deploy } from '../l1/deploy.ts'
import { depositBond, openLane, openZone } from '../l1/operate/lanes.ts'
import {
  enrolContracts,
  evseDescriptorsHex,
  mintVehicles,
  registerEvses,
  signCertificate,
  signConsent,
} from '../l1/operate/registration.ts'
import { setTariff } from '../l1/operate/tariffs.ts'
import type { ContractDescriptor, EvseDescriptor } from '../protocol/descriptor.ts'
import { MIN_BOND_WEI, NOTICE_SECONDS, PERIOD_SECONDS } from '../protocol/limits.ts'
import { P256_LAYOUT } from '../protocol/scheme.ts'
import { periodOf } from '../protocol/time.ts'
import type { DevnetAccounts } from './accounts.ts'
import type { EvseSigner } from './evseSigner.ts'
import type { L1Node } from './l1Node.ts'
import type { Scenario } from './scenario.ts'

/** A deployment with one zone and one lane, populated and in force. */
export interface World {
  readonly deployment: Deployment
  readonly zone: number
  readonly lane: number
  readonly fundedMicro: bigint
}

export interface WorldOptions {
  readonly node: L1Node
  readonly accounts: DevnetAccounts
  readonly scenario: Scenario
  readonly signers: readonly EvseSigner[]
  readonly fundingMicro: bigint
  readonly onProgress: (what: string) => void
}

/** The world is built this long before the scenario starts: two notices, since enrolment needs a tariff that is set. */
export const WORLD_LEAD_SECONDS = 4 * NOTICE_SECONDS

const ETHER = 10n ** 18n
const BALANCE_WEI = 10_000n * ETHER
/** An EVSE's deposit stands for its meter (docs/protocol.md §12). */
const EVSE_DEPOSIT_MICRO = 50_000_000n
/** Registering takes about 50 000 gas each, with a proof of possession 240 000, enrolling with a consent 70 000; the cap is 16.7 million. */
const EVSES_PER_CALL = 100
const BLS_EVSES_PER_CALL = 40
const CARS_PER_CALL = 100
const CONSENT_SECONDS = 86_400n

/** Deploys, opens, bonds, registers, enrols, funds, and moves the clock until all of it is in force. */
export async function buildWorld(options: WorldOptions): Promise<World> {
  const { node, accounts, onProgress } = options
  for (const account of Object.values(accounts).filter(isAccount)) await node.setBalance(account.address, BALANCE_WEI)
  const as = (account: L1Account): Caller => ({ client: node.client, account })

  const wallet = createWalletClient({
    account: accounts.deployer,
    chain: node.client.chain,
    transport: custom(node.client),
  })
  const deployment = await deploy(wallet, node.client)
  onProgress(`contracts deployed, rollup ${deployment.rollup}`)

  const { publisher, certifier } = accounts
  const zone = await openZone(as(accounts.zoneOperator), deployment.registry, {
    publisher: publisher.address,
    certifier: certifier.address,
  })
  await depositBond(as(accounts.laneOperator), deployment.rollup, MIN_BOND_WEI)
  onProgress(`zone ${zone} open, the sequencer's account bonded with ${MIN_BOND_WEI / ETHER} ether`)
  const lane = await addLane(options, { deployment, zone })
  return { deployment, zone, lane, fundedMicro: options.fundingMicro }
}

/** Opens a lane of the signers' scheme, registers, enrols and funds it. */
export async function addLane(
  options: WorldOptions,
  { deployment, zone }: Pick<World, 'deployment' | 'zone'>,
): Promise<number> {
  const { node, accounts, scenario, signers, onProgress } = options
  const as = (account: L1Account): Caller => ({ client: node.client, account })
  const layout = signers[0]?.layout ?? P256_LAYOUT
  const lane = await openLane(as(accounts.laneOwner), deployment.rollup, {
    zone,
    operator: accounts.laneOperator.address,
    scheme: layout.scheme,
  })
  onProgress(`lane ${lane} open, its chargers sign with ${layout.name}`)
  await setTariff(as(accounts.zoneOperator), deployment.tariff, {
    lane,
    fromPeriod: periodOf(scenario.startSeconds - PERIOD_SECONDS),
    tariff: scenario.tariff,
  })
  await registerFleet(options, deployment, lane)
  onProgress(`${scenario.evses.length} chargers certified and registered`)
  await enrolFleet(options, deployment, lane)
  onProgress(`${scenario.cars.length} vehicles minted, their owners' consents signed, contracts enrolled`)

  await mint(as(accounts.zoneOperator), deployment, options.fundingMicro)
  await fundLane(as(accounts.zoneOperator), deployment, { lane, amountMicro: options.fundingMicro })
  return lane
}

async function registerFleet(options: WorldOptions, deployment: Deployment, lane: number): Promise<void> {
  const { node, accounts, scenario, signers } = options
  const caller = { client: node.client, account: accounts.laneOwner }
  const domain = { chainId: node.client.chain.id, registry: deployment.registry }
  await mint(caller, deployment, EVSE_DEPOSIT_MICRO * BigInt(scenario.evses.length))
  const each = signers[0]?.possession === undefined ? EVSES_PER_CALL : BLS_EVSES_PER_CALL
  for (let firstSlot = 0; firstSlot < scenario.evses.length; firstSlot += each) {
    const evses = scenario.evses.slice(firstSlot, firstSlot + each).map(
      (evse, index): EvseDescriptor => ({
        ...evse,
        key: signers[firstSlot + index]!.publicKey,
        depositMicro: EVSE_DEPOSIT_MICRO,
      }),
    )
    const certificate = await signCertificate(accounts.certifier, domain, {
      lane,
      firstSlot,
      descriptors: evseDescriptorsHex(evses),
      deadline: BigInt(Math.ceil(node.nowMs() / 1000)) + CONSENT_SECONDS,
    })
    const possessions = signers.slice(firstSlot, firstSlot + each).flatMap(({ possession }) => possession ?? [])
    await registerEvses(caller, deployment, { lane, evses, certificate, possessions })
  }
}

async function enrolFleet(options: WorldOptions, deployment: Deployment, lane: number): Promise<void> {
  const { node, accounts, scenario } = options
  const caller = { client: node.client, account: accounts.laneOwner }
  const domain = { chainId: node.client.chain.id, registry: deployment.registry }
  const deadline = BigInt(Math.ceil(node.nowMs() / 1000)) + CONSENT_SECONDS
  for (let first = 0; first < scenario.cars.length; first += CARS_PER_CALL) {
    const owners = accounts.owners.slice(first, first + CARS_PER_CALL)
    const addresses = owners.map((owner) => owner.address)
    const vehicles = await mintVehicles(caller, deployment.vehicle, addresses)
    const contracts = vehicles.map(
      (vehicle, index): ContractDescriptor => ({ vehicle, vehicleKey: undefined, ...scenario.cars[first + index]! }),
    )
    const consents = await Promise.all(
      contracts.map((contract, index) => signConsent(owners[index]!, domain, { lane, contract, deadline })),
    )
    await enrolContracts(caller, deployment.registry, { lane, contracts, consents, deadline })
  }
}

async function mint(caller: Caller, deployment: Deployment, amountMicro: bigint): Promise<void> {
  const args = [caller.account.address, amountMicro] as const
  const data = encodeFunctionData({ abi: testDollarAbi, functionName: 'mint', args })
  await sendCall(caller, { to: deployment.token, data, label: 'mint test dollars' })
}

function isAccount(value: unknown): value is L1Account {
  return typeof value === 'object' && value !== null && 'address' in value
}
