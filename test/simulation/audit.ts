import assert from 'node:assert/strict'
import { erc20Abi } from 'viem'
import { type ContractCredit, readCredits } from '../../bridge/credit.ts'
import { openLaneReplay } from '../../bridge/laneReplay.ts'
import { withdrawMany } from '../../bridge/withdraw.ts'
import {
  independentCredits,
  type PlainRecord,
  type PlainTerms,
} from '../../devnet/independent/independentSettlement.ts'
import { accountFromKey } from '../../l1/client.ts'
import { beaconSource } from '../../l1/derive/beacon.ts'
import { LaneDeriver } from '../../l1/derive/laneDeriver.ts'
import { readBond } from '../../l1/operate/standing.ts'
import { anvilPrivateKey } from '../support/anvil.ts'
import { FLEET_PRICE_NANO } from '../support/fleet.ts'
import { type LaneOnL1, readLane } from '../support/laneOnL1.ts'
import { type Fate, keyOf } from './chargers.ts'
import { rawTransactions } from './rawChain.ts'
import type { World } from './world.ts'

export interface Audited {
  readonly measured: number
  readonly acknowledged: number
  readonly refused: number
  readonly forced: number
  readonly batches: number
  /** Transactions of the operator that the chain holds, reverted ones too. */
  readonly operatorTransactions: number
  readonly creditedMicro: string
}

const PASSER_BY = 5
const WINDOW_SECONDS = 7 * 24 * 3_600

/** The fleet's tariff in the auditor's own words: nothing here is shared with the settlement code. */
const TERMS: PlainTerms = {
  priceNano: () => BigInt(FLEET_PRICE_NANO),
  incentiveBps: () => 12_000n,
  powerW: [0, 7_000],
  sessionIntervals: [0],
  tierBps: [10_000, 12_000],
  thermalC: [0, 45, 55],
  thermalBps: [10_000, 8_000, 0],
}

/** Looks at L1, at what was promised and at the money, with its own simple model. Throws what does not hold. */
export async function audit(
  world: World,
  fates: ReadonlyMap<string, Fate>,
  forcedRows: readonly Uint8Array[],
): Promise<Audited> {
  const { lane, beacon } = world
  // Every batch is settled again here too, and its root compared.
  const onL1 = await readLane(lane, beacon.url)
  const rows = checkRecords(onL1, fates)
  const forced = checkForced(onL1, forcedRows)
  const credited = independentCredits([...rows, ...forced].map(plainRecord), TERMS)
  await checkStanding(world)
  await checkMoney(world, credited.creditedMicro)
  const operator = lane.operator.address.toLowerCase()
  const sent = (await rawTransactions(world.anvil().url)).filter(({ from }) => from.toLowerCase() === operator)
  return {
    measured: fates.size,
    acknowledged: rows.length,
    refused: fates.size - rows.length,
    forced: forced.length,
    batches: onL1.batches.length,
    operatorTransactions: sent.length,
    creditedMicro: String(credited.totalMicro),
  }
}

function checkRecords({ rows, amounts }: LaneOnL1, fates: ReadonlyMap<string, Fate>): Buffer[] {
  const seen = new Set<string>()
  for (const [position, row] of rows.entries()) {
    const key = keyOf(row)
    const fate = fates.get(key)
    assert.ok(fate !== undefined, `position ${position} holds a record that no charger measured`)
    assert.ok(!seen.has(key), `record ${key} is on L1 twice`)
    seen.add(key)
    assert.ok(!fate.refused, `record ${key} was refused, and is on L1`)
    assert.equal(row.toString('hex'), fate.row.toString('hex'), `record ${key} is on L1 with another signature`)
    assert.deepEqual(
      fate.promised,
      { position, amountMicro: amounts[position] },
      `record ${key} was promised otherwise`,
    )
    assert.equal(BigInt(amounts[position]!), worth(row), `record ${key} is worth something else`)
  }
  for (const [key, { promised, refused }] of fates) {
    assert.ok(promised !== undefined || refused, `record ${key} was never answered`)
    assert.equal(seen.has(key), promised !== undefined, `record ${key} was acknowledged, and is not on L1`)
  }
  return [...rows]
}

function checkForced({ forced }: LaneOnL1, offered: readonly Uint8Array[]): Buffer[] {
  const known = new Set(offered.map(keyOf))
  const found: Buffer[] = []
  for (const { record, outcome, amountMicro } of forced) {
    const key = keyOf(record)
    assert.ok(known.delete(key), `forced record ${key} was taken twice, or is nobody's`)
    assert.equal(outcome, 0, `forced record ${key} came to ${outcome}`)
    assert.equal(BigInt(amountMicro), worth(record), `forced record ${key} is worth something else`)
    found.push(Buffer.from(record))
  }
  return found
}

/** Never slashed, never rolled back. */
async function checkStanding({ lane, bondWei }: World): Promise<void> {
  const { client, contracts } = lane
  const { wei, releaseAt } = await readBond(client, contracts.rollup, lane.operator.address)
  assert.equal(wei, bondWei, 'the operator was slashed')
  assert.equal(releaseAt, undefined)
  const deriver = new LaneDeriver({ client, contracts, lane: lane.lane })
  await deriver.catchUp(await client.getBlock())
  assert.equal(deriver.history.fallen.length, 0, 'a batch of the honest lane fell')
}

/** After the window everybody is paid what the model owes, and the vault holds the rest. */
async function checkMoney(world: World, owed: ReadonlyMap<number, bigint>): Promise<void> {
  const { lane, beacon, fundedMicro } = world
  const { client, contracts } = lane
  const anvil = world.anvil()
  await world.mining(false)
  await anvil.setAutomine(true)
  await anvil.warp(WINDOW_SECONDS + 1)
  const source = beaconSource({ url: beacon.url, blockId: 'number', secondsPerSlot: 12, timeoutMs: 30_000 })
  const of = { client, contracts, lane: lane.lane }
  const balance = (of: `0x${string}`): Promise<bigint> =>
    client.readContract({ address: contracts.token, abi: erc20Abi, functionName: 'balanceOf', args: [of] })
  const { base, credits, claims } = await readCredits(await openLaneReplay({ ...of, blobs: { sources: [source] } }), of)
  compareCredits(credits, owed)
  const before = await balance(lane.owner.address)
  if (claims.length > 0) {
    const passerBy = { client, account: accountFromKey(anvilPrivateKey(PASSER_BY)) }
    const { payments } = await withdrawMany(passerBy, contracts.vault, base, claims)
    for (const { slot, amountMicro } of payments) assert.equal(amountMicro, owed.get(slot), `contract ${slot} was paid`)
    assert.equal(payments.length, owed.size)
  }
  const total = [...owed.values()].reduce((sum, micro) => sum + micro, 0n)
  assert.equal((await balance(lane.owner.address)) - before, total, 'the owner was paid what the records are worth')
  assert.equal(await balance(contracts.vault), fundedMicro - total, 'escrow = funded − paid')
}

function compareCredits(credits: readonly ContractCredit[], owed: ReadonlyMap<number, bigint>): void {
  for (const { slot, finalMicro } of credits)
    assert.equal(finalMicro, owed.get(slot) ?? 0n, `credit of contract ${slot}`)
}

const worth = (row: Uint8Array): bigint => independentCredits([plainRecord(row)], TERMS).totalMicro

/** docs/protocol.md §2, read by hand. */
function plainRecord(bytes: Uint8Array): PlainRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 24)
  return {
    evse: view.getUint32(0),
    contract: view.getUint32(4),
    start: view.getUint32(8),
    intervals: view.getUint8(12),
    energyWh: view.getUint32(12) & 0xffffff,
    tempC: view.getUint8(23),
  }
}
