import { createWalletClient, encodeFunctionData, http } from 'viem'
import { foundry } from 'viem/chains'
import { fundLane } from '../../bridge/funding.ts'
import { testDollarAbi } from '../../l1/abi/testDollar.ts'
import { accountFromKey, connectL1, type L1Account, type L1Client, l1ConfigSchema } from '../../l1/client.ts'
import { type Caller, sendCall } from '../../l1/contractCall.ts'
import type { Contracts } from '../../l1/contracts.ts'
import { type Deployment, deploy } from '../../l1/deploy.ts'
import { contractsOf } from '../../l1/operate/deployment.ts'
import { depositBond, openLane, openZone } from '../../l1/operate/lanes.ts'
import { enrolContracts, mintVehicles, registerEvses, signCertificate } from '../../l1/operate/registration.ts'
import { evseDescriptorsHex } from '../../l1/operate/registration.ts'
import { setPrices, setTariff } from '../../l1/operate/tariffs.ts'
import { decodeContractDescriptor, decodeEvseDescriptor } from '../../protocol/descriptor.ts'
import { PERIOD_INTERVALS, PERIOD_SECONDS } from '../../protocol/limits.ts'
import { P256_LAYOUT, Scheme, type SchemeLayout } from '../../protocol/scheme.ts'
import { decodeTariff } from '../../protocol/tariff.ts'
import { type Anvil, anvilPrivateKey } from './anvil.ts'
import { FLEET_PRICE_NANO, FLEET_TARIFF, Fleet } from './fleet.ts'

export interface LaneFixtureOptions {
  readonly anvil: Anvil
  /** Of the lane's scheme; P-256 when absent. */
  readonly layout?: SchemeLayout
  /** Opens the lane beside this one: on its contracts, in its zone, with its operator. */
  readonly beside?: TestLane
  readonly evses?: number
  readonly contracts?: number
  readonly seed?: number
  readonly fundedMicro?: bigint
  /** Of every charger; default: none. */
  readonly depositMicro?: bigint
  /** Of every contract, x ‖ y; default: none. */
  readonly vehicleKey?: Uint8Array
  /** Periods with a price, from the first on which the lane can settle. */
  readonly pricedPeriods?: number
  /** Periods that lie behind the chain's clock when the lane is handed over: records for so long settle at once. */
  readonly periodsBehind?: number
}

export interface TestLane {
  readonly anvil: Anvil
  readonly client: L1Client
  readonly deployment: Deployment
  /** `[contracts]` of a service's configuration. */
  readonly contracts: Contracts
  readonly lane: number
  readonly zone: number
  /** Keys, descriptors and signed records that settle. */
  readonly fleet: Fleet
  readonly firstPeriod: number
  /** Posts batches; bonded. */
  readonly operator: L1Account
  readonly operatorKey: `0x${string}`
  /** Owns the lane and the vehicles. */
  readonly owner: L1Account
  /** Operates, prices and certifies the zone. */
  readonly zoneOperator: L1Account
}

export const OWNER_INDEX = 0
export const OPERATOR_INDEX = 1
export const ZONE_INDEX = 2
const MANY = 60
/** Of a BLS lane each takes a pairing. */
const MANY_EVSES: Record<Scheme, number> = { [Scheme.P256]: MANY, [Scheme.BLS]: 20 }

/** A whole lane on an anvil: contracts deployed, chargers and contracts registered, tariff, prices and money in force. */
export async function openTestLane(options: LaneFixtureOptions): Promise<TestLane> {
  const { anvil, evses = 4, contracts: contractCount = evses, seed = 1, layout = P256_LAYOUT, beside } = options
  const client = await connectL1(l1ConfigSchema.parse({ rpcUrl: anvil.url }))
  const keyOf = (index: number): L1Account => accountFromKey(anvilPrivateKey(index))
  const owner = keyOf(OWNER_INDEX)
  const operator = keyOf(OPERATOR_INDEX)
  const zoneOperator = keyOf(ZONE_INDEX)
  const byOwner: Caller = { client, account: owner }
  const byZone: Caller = { client, account: zoneOperator }

  const wallet = createWalletClient({ account: owner, chain: foundry, transport: http(anvil.url) })
  const deployment = beside?.deployment ?? (await deploy(wallet, anvil.publicClient))
  const { rollup, registry, tariff, vehicle, token, vault } = deployment
  const now = await anvil.now()
  const firstPeriod = Math.ceil((now + 1800) / PERIOD_SECONDS) + 1

  const roles = { publisher: zoneOperator.address, certifier: zoneOperator.address }
  const zone = beside?.zone ?? (await openZone(byZone, registry, roles))
  const lane = await openLane(byOwner, rollup, { zone, operator: operator.address, scheme: layout.scheme })
  if (beside === undefined) await depositBond({ client, account: operator }, rollup, 20n * 10n ** 18n)
  await setTariff(byZone, tariff, { lane, fromPeriod: firstPeriod, tariff: decodeTariff(FLEET_TARIFF) })
  const nano = Array<number>(options.pricedPeriods ?? 192).fill(FLEET_PRICE_NANO)
  await setPrices(byZone, tariff, { zone, firstPeriod, nano })

  const chainId = BigInt(client.chain.id)
  const fleet = new Fleet({
    evses,
    contracts: contractCount,
    seed,
    firstInterval: firstPeriod * PERIOD_INTERVALS,
    name: { chainId, rollup, lane },
    layout,
    depositMicro: options.depositMicro ?? 0n,
    ...(options.vehicleKey === undefined ? {} : { vehicleKey: options.vehicleKey }),
    firstVehicle: beside === undefined ? 1 : beside.fleet.firstVehicle + beside.fleet.contracts,
  })
  const deadline = BigInt(now + 86_400)
  if (options.depositMicro !== undefined) await mint(byOwner, token, options.depositMicro * BigInt(evses))
  const many = MANY_EVSES[layout.scheme]
  for (let first = 0; first < evses; first += many) {
    const some = fleet.evseDescriptors.slice(first, first + many).map(decodeEvseDescriptor)
    const possessions = fleet.keys.slice(first, first + many).map((key) => key.possession())
    const descriptors = evseDescriptorsHex(some)
    const domain = { chainId: client.chain.id, registry }
    const certificate = await signCertificate(zoneOperator, domain, { lane, firstSlot: first, descriptors, deadline })
    await registerEvses(byOwner, { registry, token }, { lane, evses: some, certificate, possessions })
  }
  for (let first = 0; first < contractCount; first += MANY) {
    const some = fleet.contractDescriptors.slice(first, first + MANY).map(decodeContractDescriptor)
    const minted = await mintVehicles(byOwner, vehicle, Array(some.length).fill(owner.address))
    if (minted.some((id, i) => id !== some[i]!.vehicle))
      throw new Error('vehicles got other ids than the fleet expects')
    await enrolContracts(byOwner, registry, { lane, contracts: some, consents: some.map(() => '0x'), deadline })
  }
  await fund(byZone, { token, vault, lane, amount: options.fundedMicro ?? 10n ** 13n })
  await anvil.warpTo((firstPeriod + (options.periodsBehind ?? 4)) * PERIOD_SECONDS)
  // What is held final a block or two behind the head has come through the leap too.
  await anvil.mine(2)

  return {
    anvil,
    client,
    deployment,
    contracts: contractsOf(deployment),
    lane,
    zone,
    fleet,
    firstPeriod,
    operator,
    operatorKey: anvilPrivateKey(OPERATOR_INDEX),
    owner,
    zoneOperator,
  }
}

async function fund(
  caller: Caller,
  what: { token: `0x${string}`; vault: `0x${string}`; lane: number; amount: bigint },
): Promise<void> {
  await mint(caller, what.token, what.amount)
  await fundLane(caller, what, { lane: what.lane, amountMicro: what.amount })
}

/** Test dollars for the caller. */
export async function mint(caller: Caller, token: `0x${string}`, amountMicro: bigint): Promise<void> {
  const args = [caller.account.address, amountMicro] as const
  const data = encodeFunctionData({ abi: testDollarAbi, functionName: 'mint', args })
  await sendCall(caller, { to: token, data, label: 'mint test dollars' })
}
