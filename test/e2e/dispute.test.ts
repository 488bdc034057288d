import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { erc20Abi, type Hex } from 'viem'
import {
  answerDispute,
  exhibit,
  openDispute,
  openDoublePlug,
  proveEquivocation,
  readClaim,
  readExhibit,
  resolveClaim,
  type SignedReading,
} from '../../bridge/court.ts'
import { readCredits } from '../../bridge/credit.ts'
import { exhibitId, findRecord, type RecordName } from '../../bridge/evidence.ts'
import { openLaneReplay } from '../../bridge/laneReplay.ts'
import { withdraw } from '../../bridge/withdraw.ts'
import { accountFromKey } from '../../l1/client.ts'
import type { Caller } from '../../l1/contractCall.ts'
import { beaconSource } from '../../l1/derive/beacon.ts'
import { gridMeterCredentials, signReading } from '../../l1/operate/meters.ts'
import { registryAbi } from '../../l1/abi/registry.ts'
import { DISPUTE_BOND_MICRO, NOTICE_SECONDS, WINDOW_SECONDS } from '../../protocol/limits.ts'
import { ReadingSource, readingDomain } from '../../protocol/reading.ts'
import { decodeRecord } from '../../protocol/record.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { isBackfeedError } from '../../runtime/errors.ts'
import { startSequencer } from '../../sequencer/main.ts'
import { anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { mint, openTestLane, type TestLane } from '../support/laneFixture.ts'
import { sequencerConfig } from '../support/sequencerFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const DEPOSIT_MICRO = 50_000_000n
const CHALLENGER_INDEX = 5

const isReverted = (reason: RegExp) => (error: unknown) =>
  isBackfeedError(error, 'L1_REVERTED') && reason.test(error.message)

interface MeterKey {
  readonly key: KeyObject
  /** x ‖ y */
  readonly publicKey: Uint8Array
}

function meterKey(): MeterKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x, y } = privateKey.export({ format: 'jwk' })
  const publicKey = Buffer.concat([Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')])
  return { key: createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })), publicKey }
}

function replayOf(lane: TestLane) {
  const beacon = beaconSource({ url: lane.anvil.url, blockId: 'number', secondsPerSlot: 12, timeoutMs: 30_000 })
  return openLaneReplay({
    client: lane.client,
    contracts: lane.contracts,
    lane: lane.lane,
    blobs: { sources: [beacon] },
  })
}

async function evidenceOf(lane: TestLane, name: RecordName) {
  return await findRecord(await replayOf(lane), name)
}

async function readingOf(
  lane: TestLane,
  meter: MeterKey,
  of: { source: ReadingSource; evse: number; start: number; energyWh: number },
): Promise<SignedReading> {
  const domain = readingDomain({
    chainId: BigInt(lane.client.chain.id),
    rollup: lane.contracts.rollup,
    lane: lane.lane,
  })
  const { source, ...reading } = of
  const signature = signReading(meter.key, domain, { ...reading, intervals: 1 })
  if (source === ReadingSource.VEHICLE) return { source, energyWh: of.energyWh, signature }
  const credentials = await gridMeterCredentials(
    lane.zoneOperator,
    { chainId: lane.client.chain.id, court: lane.contracts.court },
    { lane: lane.lane, evse: of.evse, key: meter.publicKey, fromInterval: of.start, toInterval: of.start + 1 },
  )
  return { source, energyWh: of.energyWh, signature, credentials }
}

async function balance(lane: TestLane, account: Hex): Promise<bigint> {
  const { token } = lane.contracts
  return await lane.client.readContract({ address: token, abi: erc20Abi, functionName: 'balanceOf', args: [account] })
}

async function credit(lane: TestLane, slot: number) {
  return await readCredits(await replayOf(lane), {
    client: lane.client,
    contracts: lane.contracts,
    lane: lane.lane,
    slots: [slot],
  })
}

async function challengerOf(lane: TestLane): Promise<Caller> {
  const challenger = { client: lane.client, account: accountFromKey(anvilPrivateKey(CHALLENGER_INDEX)) }
  await mint(challenger, lane.contracts.token, BigInt(DISPUTE_BOND_MICRO))
  return challenger
}

for (const data of ['calldata', 'blob'] as const) {
  test(`a grid meter disputes a record in ${data}; its owner is paid less by exactly what was clawed back`, {
    timeout: 600_000,
  }, async () => {
    await using anvil = await startAnvil()
    await using folder = await temporaryFolder()
    const vehicle = meterKey()
    const grid = meterKey()
    const lane = await openTestLane({
      anvil,
      evses: 3,
      depositMicro: DEPOSIT_MICRO,
      vehicleKey: vehicle.publicKey,
    })
    const rows = lane.fleet.rows(60)
    {
      await using sequencer = await startSequencer(sequencerConfig(lane, { folder: folder.path, data }))
      await sequencer.sink.submit({ lane: lane.lane, rows, count: 60 })
      await sequencer.closeBatch(lane.lane)
      await anvil.warp(120)
      await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
    }
    const challenger = await challengerOf(lane)
    const { court } = lane.contracts
    // In the second of three chunks.
    const record = decodeRecord(rows, 31 * 88)
    const { evse, start } = record
    const evidence = await evidenceOf(lane, { evse, start })
    assert.deepEqual([evidence.chunk, evidence.row, evidence.record], [1, 9, record])
    assert.equal(exhibitId(await evidenceOf(lane, { position: 31 })), exhibitId(evidence))
    await assert.rejects(evidenceOf(lane, { evse, start: start + 999 }), (error: unknown) =>
      isBackfeedError(error, 'RECORD_UNKNOWN'),
    )

    const id = await exhibit(challenger, court, evidence)
    assert.equal(await exhibit(challenger, court, evidence), id, 'a second time it is there already')
    const shown = await readExhibit(lane.client, court, id)
    assert.deepEqual([shown.evse, shown.start, shown.energyWh], [evse, start, record.energyWh])
    assert.equal(shown.amount, BigInt(evidence.amountMicro))

    const energyWh = Math.floor(record.energyWh / 2)
    const reading = await readingOf(lane, grid, { source: ReadingSource.GRID, evse, start, energyWh })
    const forged = { ...reading, energyWh: energyWh - 1 }
    await assert.rejects(
      openDispute(challenger, lane.contracts, { exhibit: id, reading: forged }),
      isReverted(/BadReading/),
    )
    const dispute = await openDispute(challenger, lane.contracts, { exhibit: id, reading })
    assert.equal(await balance(lane, challenger.account.address), 0n)

    // The median is then the vehicle's.
    const answer = await readingOf(lane, vehicle, {
      source: ReadingSource.VEHICLE,
      evse,
      start,
      energyWh: energyWh + 1,
    })
    await answerDispute(challenger, lane.contracts, { dispute, reading: answer })
    await assert.rejects(resolveClaim(challenger, lane.contracts, dispute), isReverted(/NotFinal/))

    await anvil.warp(WINDOW_SECONDS)
    const held = await credit(lane, record.contract)
    assert.equal(held.credits[0]!.heldFrom, 1n)
    assert.equal(held.credits[0]!.withdrawableMicro, 0n)
    assert.equal(held.claims.length, 0)

    const decision = await resolveClaim(challenger, lane.contracts, dispute)
    const amount = BigInt(evidence.amountMicro)
    const clawed = amount - (amount * BigInt(energyWh + 1)) / BigInt(record.energyWh)
    assert.deepEqual(decision, { kind: 'upheld', clawedMicro: clawed, slashedMicro: clawed })
    assert.ok((await readClaim(lane.client, court, dispute)).closed)
    assert.equal(await balance(lane, challenger.account.address), BigInt(DISPUTE_BOND_MICRO) + clawed / 2n)
    assert.equal(await balance(lane, court), 0n)

    const { base, claims, credits } = await credit(lane, record.contract)
    assert.equal(credits[0]!.clawbackMicro, clawed)
    const before = await balance(lane, lane.owner.address)
    const { payments } = await withdraw(challenger, lane.contracts.vault, base, claims[0]!)
    assert.equal(payments[0]!.amountMicro, credits[0]!.creditedMicro - clawed)
    assert.equal((await balance(lane, lane.owner.address)) - before, credits[0]!.creditedMicro - clawed)
    await assert.rejects(withdraw(challenger, lane.contracts.vault, base, claims[0]!), isReverted(/NothingToWithdraw/))
  })
}

test('a double plug costs the smaller credit; two records for one span cost an EVSE its deposit', {
  timeout: 600_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: 2, depositMicro: DEPOSIT_MICRO })
  const first = lane.fleet.next(0)
  // The same contract, at the same time, at another charger.
  const second = lane.fleet.next(1, { contract: first.contract, energyWh: first.energyWh - 5 })
  const rows = Buffer.concat([lane.fleet.sign(first), lane.fleet.sign(second)])
  {
    await using sequencer = await startSequencer(sequencerConfig(lane, { folder: folder.path }))
    await sequencer.sink.submit({ lane: lane.lane, rows, count: 2 })
    await sequencer.closeBatch(lane.lane)
    await anvil.warp(120)
    await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
  }
  const challenger = await challengerOf(lane)
  const { court } = lane.contracts
  const large = await evidenceOf(lane, { evse: 0, start: first.start })
  const small = await evidenceOf(lane, { evse: 1, start: second.start })
  const ids = [await exhibit(challenger, court, large), await exhibit(challenger, court, small)] as const
  const claim = await openDoublePlug(challenger, court, ...ids)
  assert.equal((await readClaim(lane.client, court, claim)).exhibit, ids[1])

  const lie = lane.fleet.sign({ ...first, energyWh: first.energyWh + 1 })
  const before = await balance(lane, challenger.account.address)
  await assert.rejects(
    proveEquivocation(challenger, lane.contracts, {
      lane: lane.lane,
      rows: [rows.subarray(0, 88), lane.fleet.sign(second)],
    }),
    isReverted(/OtherEvse/),
  )
  const reward = await proveEquivocation(challenger, lane.contracts, {
    lane: lane.lane,
    rows: [rows.subarray(0, 88), lie],
  })
  assert.equal(reward, DEPOSIT_MICRO / 2n)
  assert.equal((await balance(lane, challenger.account.address)) - before, DEPOSIT_MICRO / 2n)
  const word = await lane.client.readContract({
    address: lane.contracts.registry,
    abi: registryAbi,
    functionName: 'evseWord',
    args: [lane.lane, 0],
  })
  assert.equal(Number(BigInt(word) & 0xffffffffn), (await anvil.now()) + NOTICE_SECONDS)

  await anvil.warp(WINDOW_SECONDS)
  const decision = await resolveClaim(challenger, lane.contracts, claim)
  assert.deepEqual(decision, { kind: 'upheld', clawedMicro: BigInt(small.amountMicro), slashedMicro: 0n })
  const { credits } = await credit(lane, first.contract)
  assert.equal(credits[0]!.withdrawableMicro, BigInt(large.amountMicro))
})

test('an EVSE of a BLS lane equivocates as well', { timeout: 600_000 }, async () => {
  await using anvil = await startAnvil()
  const lane = await openTestLane({ anvil, evses: 2, layout: BLS_LAYOUT, depositMicro: DEPOSIT_MICRO })
  const challenger = await challengerOf(lane)
  const record = lane.fleet.next(1)
  const rows = [lane.fleet.sign(record), lane.fleet.sign({ ...record, energyWh: 1 })] as const
  const report = (pair: readonly [Uint8Array, Uint8Array]) =>
    proveEquivocation(challenger, lane.contracts, { lane: lane.lane, rows: pair })
  const forged = lane.fleet.sign({ ...record, energyWh: 2 }, 0)
  await assert.rejects(report([rows[0], forged]), isReverted(/BadSignature/))
  await assert.rejects(report([rows[0], rows[0]]), isReverted(/SameRecord/))
  assert.equal(await report(rows), DEPOSIT_MICRO / 2n)
  await assert.rejects(report(rows), isReverted(/AlreadyProven/))
})
