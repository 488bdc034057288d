import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fundLane } from '../../../bridge/funding.ts'
import { registryAbi } from '../../../l1/abi/registry.ts'
import { testDollarAbi } from '../../../l1/abi/testDollar.ts'
import { vaultAbi } from '../../../l1/abi/vault.ts'
import { toHex } from '../../../l1/bytes.ts'
import { sendCall } from '../../../l1/contractCall.ts'
import { toRef } from '../../../l1/follow.ts'
import { type LaneView, openLaneView } from '../../../l1/laneView/laneView.ts'
import { openLane, openZone } from '../../../l1/operate/lanes.ts'
import {
  enrolContracts,
  evseDescriptorsHex,
  mintVehicles,
  registerEvses,
  signCertificate,
} from '../../../l1/operate/registration.ts'
import { setPrices, setTariff } from '../../../l1/operate/tariffs.ts'
import { type ContractDescriptor, type EvseDescriptor, slotWord } from '../../../protocol/descriptor.ts'
import { NOTICE_SECONDS, PERIOD_SECONDS } from '../../../protocol/limits.ts'
import { encodeTariff, type Tariff } from '../../../protocol/tariff.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { encodeFunctionData, type Hex } from 'viem'
import { type Anvil, startAnvil } from '../../support/anvil.ts'
import { openTestLane, type TestLane } from '../../support/lane.ts'

// The generator of P-256: any point on the curve is a key as good as another here.
const KEY = Buffer.from(
  '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
  'hex',
)
const evse = (ratedW: number): EvseDescriptor => ({
  key: KEY,
  ratedW,
  lat: 525_200_000,
  lon: -134_050_000,
  radiusM: 50,
  depositMicro: 0n,
})
const tariff: Tariff = {
  socToleranceBps: 500,
  maxIncentiveBps: 20_000,
  powerW: [0, 0xffffffff, 0xffffffff, 0xffffffff],
  sessionIntervals: [0, 0xffffffff, 0xffffffff, 0xffffffff],
  tierBps: Array.from({ length: 16 }, () => 10_000),
  thermalC: [0, 60, 255, 255, 255, 255, 255, 255],
  thermalBps: [10_000, 0, 0, 0, 0, 0, 0, 0],
}
let anvil: Anvil
let given: TestLane

before(async () => {
  anvil = await startAnvil()
  given = await openTestLane(anvil)
})
after(() => anvil.stop())

async function register(lane: number, firstSlot: number, evses: readonly EvseDescriptor[]): Promise<void> {
  const { contracts, owner, client } = given
  const descriptors = evseDescriptorsHex(evses)
  const deadline = BigInt((await anvil.now()) + 1_000)
  const domain = { chainId: client.chain.id, registry: contracts.registry }
  const certificate = await signCertificate(owner.account, domain, { lane, firstSlot, descriptors, deadline })
  await registerEvses(owner, contracts, { lane, evses, certificate })
}

async function head() {
  return toRef(await given.client.getBlock())
}

async function wordsOnL1(functionName: 'evseWords' | 'contractWords', slots: number[]): Promise<readonly Hex[]> {
  const { client, contracts, lane } = given
  return await client.readContract({ address: contracts.registry, abi: registryAbi, functionName, args: [lane, slots] })
}

/** The view must say of every slot what the registry itself would prove. */
async function assertAgrees(view: LaneView): Promise<void> {
  for (const [slots, functionName] of [
    [view.rules.evses, 'evseWords'],
    [view.rules.contracts, 'contractWords'],
  ] as const) {
    const numbers = Array.from({ length: slots.count }, (_, slot) => slot)
    const words = numbers.map((s) => slotWord(slots.descriptor(s), slots.activeFrom[s]!, slots.endsAt[s]!))
    assert.deepEqual(words, await wordsOnL1(functionName, numbers))
  }
}

test('the view follows registrations, ends, tariffs, prices and funding of its own lane only', async () => {
  const { client, contracts, owner, lane, zone } = given
  const other = await openLane(owner, contracts.rollup, { zone, operator: given.operator.address })
  const view = await openLaneView({ client, contracts, lane })
  await register(lane, 0, [evse(11_000), evse(22_000)])
  await register(other, 0, [evse(1_000)])
  assert.equal(await view.catchUp(await head()), false)
  assert.equal(view.rules.evses.count, 2)
  assert.equal(view.rules.evseRatedW(1), 22_000)
  await assertAgrees(view)

  const start = await anvil.now()
  const fromPeriod = Math.floor(start / PERIOD_SECONDS) + 4
  await setTariff(owner, contracts.tariff, { lane, fromPeriod, tariff })
  await setPrices(owner, contracts.tariff, { zone, firstPeriod: fromPeriod, nano: [33_310, 0, 44_000] })
  const [vehicle] = await mintVehicles(owner, contracts.vehicle, [owner.account.address])
  const contract: ContractDescriptor = {
    vehicle: vehicle!,
    incentiveBps: 10_500,
    capacityWh: 77_000,
    vehicleKey: undefined,
  }
  const deadline = BigInt(start + 1_000)
  await enrolContracts(owner, contracts.registry, { lane, contracts: [contract], consents: ['0x'], deadline })
  const mint = encodeFunctionData({ abi: testDollarAbi, functionName: 'mint', args: [owner.account.address, 900n] })
  await sendCall(owner, { to: contracts.token, data: mint, label: 'mint' })
  await fundLane(owner, contracts, { lane, amountMicro: 700n })
  await fundLane(owner, contracts, { lane: other, amountMicro: 200n })
  const endsAt = (await anvil.now()) + NOTICE_SECONDS + 100
  const end = encodeFunctionData({ abi: registryAbi, functionName: 'endEvse', args: [lane, 1, endsAt] })
  await sendCall(owner, { to: contracts.registry, data: end, label: 'end an EVSE' })

  await view.catchUp(await head())
  assert.equal(view.rules.evses.endsAt[1], endsAt)
  assert.equal(view.rules.contractVehicle(0), vehicle)
  assert.deepEqual(view.rules.tariffs[0]?.bytes, encodeTariff(tariff))
  assert.equal(view.rules.tariffVersion(fromPeriod), 0)
  assert.deepEqual(
    [0, 1, 2, 3].map((i) => view.rules.priceNano(fromPeriod + i)),
    [33_310, 0, 44_000, 0],
  )
  const asOf = (await anvil.now()) + NOTICE_SECONDS + 10
  assert.equal(view.rules.fundedMicro(asOf), 700n)
  const onL1 = await client.readContract({
    address: contracts.vault,
    abi: vaultAbi,
    functionName: 'fundedAt',
    args: [lane, asOf],
  })
  assert.equal(onL1, 700n)
  await assertAgrees(view)

  // Read at once, block by block, or in ranges that split: the same view.
  const again = await openLaneView({ client, contracts, lane, limits: { maxRangeBlocks: 2, attempts: 1 } })
  await again.catchUp(await head())
  assert.deepEqual(again.rules, view.rules)
})

test('a lane whose number is that of the zone is not mistaken for it', async () => {
  const { client, contracts, owner, operator } = given
  const roles = { publisher: owner.account.address, certifier: owner.account.address }
  const namesake = await openLane(owner, contracts.rollup, { zone: given.zone, operator: operator.address })
  let zone = given.zone
  while (zone < namesake) zone = await openZone(owner, contracts.registry, roles)
  assert.equal(zone, namesake)
  const lane = await openLane(owner, contracts.rollup, { zone, operator: operator.address })
  await register(namesake, 0, [evse(1_000), evse(2_000)])
  await register(lane, 0, [evse(3_000)])
  const view = await openLaneView({ client, contracts, lane })
  await view.catchUp(await head())
  assert.equal(view.rules.evses.count, 1)
  assert.equal(view.rules.evseRatedW(0), 3_000)
})

test('a reorganisation rebuilds the view', async () => {
  const { client, contracts, lane } = given
  const view = await openLaneView({ client, contracts, lane })
  await view.catchUp(await head())
  const before = view.rules.evses.count
  const snapshot = await anvil.snapshot()
  await register(lane, before, [evse(5_000)])
  const lost = await head()
  await view.catchUp(lost)
  assert.equal(view.rules.evses.count, before + 1)
  await anvil.revert(snapshot)
  await anvil.mine(3)
  await assert.rejects(view.catchUp(lost), (error) => isBackfeedError(error, 'L1_REORGANISED') && error.retryable)
  assert.equal(await view.catchUp(await head()), true)
  assert.equal(view.rules.evses.count, before)
  await register(lane, before, [evse(6_000)])
  await view.catchUp(await head())
  assert.equal(view.rules.evseRatedW(before), 6_000)
  assert.equal(toHex(view.rules.evsePosition(before)).length, 18)
  await assertAgrees(view)
})
