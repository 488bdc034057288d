import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { encodeFunctionData } from 'viem'
import { contractEntrySchema, evseEntrySchema } from '../../../gateway/fleet/config.ts'
import { Fleet } from '../../../gateway/fleet/fleet.ts'
import { permittedSigner } from '../../../gateway/fleet/permittedSigner.ts'
import { rollupAbi } from '../../../l1/abi/rollup.ts'
import { sendCall } from '../../../l1/contractCall.ts'
import { earliestEnd, endEvse } from '../../../l1/operate/endings.ts'
import { evseDescriptorsHex, registerEvses, signCertificate } from '../../../l1/operate/registration.ts'
import { decodeEvseDescriptor } from '../../../protocol/descriptor.ts'
import { recordDomain, recordMessage } from '../../../protocol/domain.ts'
import { INTERVAL_SECONDS } from '../../../protocol/limits.ts'
import { encodeRecord } from '../../../protocol/record.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { type Anvil, anvilAccount, startAnvil } from '../../support/anvil.ts'
import { openTestLane, type TestLane } from '../../support/laneFixture.ts'

let anvil: Anvil
let given: TestLane
let nowSeconds = 0

before(async () => {
  anvil = await startAnvil()
  given = await openTestLane({ anvil, evses: 3, contracts: 2 })
  nowSeconds = await anvil.now()
})
after(() => anvil.stop())

const code = (expected: string) => (error: unknown) => isBackfeedError(error, expected)

async function openFleet(more: { evses?: Record<string, unknown>[] } = {}) {
  const { client, contracts, lane } = given
  const evses = [
    { name: 'a', slot: 0, station: 'CP', evseId: 1 },
    { name: 'b', slot: 1, station: 'CP', evseId: 2, position: 'mqtt' },
    { name: 'later', slot: 9 },
    ...(more.evses ?? []),
  ].map((entry) => evseEntrySchema.parse({ lane, ...entry }))
  const fleet = new Fleet({
    tables: { evses, contracts: [contractEntrySchema.parse({ lane, slot: 1, tokens: ['De-AbC'] })] },
    client,
    contracts,
    finality: { kind: 'depth', blocks: 0 },
    pollMs: 60_000,
    positionMaxAgeMs: 60_000,
    now: () => nowSeconds * 1000,
    monotonicMs: () => performance.now(),
    log: silentLogger(),
  })
  await fleet.start()
  return { fleet, [Symbol.asyncDispose]: () => fleet.stop() }
}

test('what L1 says of EVSEs and contracts', async () => {
  await using opened = await openFleet()
  const { fleet } = opened
  const evse = fleet.atStation('CP', 1)
  assert.equal(evse?.name, 'a')
  assert.deepEqual(Buffer.from(evse!.publicKey), Buffer.from(given.fleet.evseDescriptors[0]!.subarray(0, 64)))
  assert.equal(fleet.atStation('CP', 3), undefined)
  assert.equal(fleet.evse('later'), undefined)
  assert.deepEqual(
    fleet.evses.map(({ name }) => name),
    ['a', 'b'],
  )
  const contract = fleet.contractOfToken(given.lane, 'dE-aBc')
  assert.equal(contract?.slot, 1)
  assert.ok(contract!.capacityWh > 0)
  assert.equal(fleet.contractOfToken(given.lane, 'other'), undefined)
  assert.deepEqual(fleet.operatorOf(given.lane), [given.operator.address])
  assert.equal(fleet.operatorOf(99), undefined)
})

test('nothing is signed for a slot that is empty, with another key, or outside the fence', async () => {
  await using opened = await openFleet()
  const { fleet } = opened
  assert.equal(fleet.refusal('a'), undefined)
  assert.equal(fleet.refusal('later')?.code, 'EVSE_NOT_REGISTERED')
  assert.equal(fleet.refusal('later')?.retryable, true)
  assert.equal(fleet.refusal('a', { start: 0, end: 60 })?.code, 'EVSE_NOT_ACTIVE')
  assert.equal(fleet.refusal('who')?.code, 'EVSE_UNKNOWN')
  assert.throws(() => fleet.bindSigner('a', given.fleet.evseDescriptors[1]!.slice(0, 64)), code('KEY_NOT_REGISTERED'))
  fleet.bindSigner('a', given.fleet.evseDescriptors[0]!.slice(0, 64))

  const home = { lat: fleet.evse('b')!.lat / 1e7, lon: fleet.evse('b')!.lon / 1e7 }
  assert.equal(fleet.refusal('b')?.code, 'ERR_GEOFENCE')
  fleet.reportPosition('b', home, nowSeconds * 1000)
  assert.equal(fleet.refusal('b'), undefined)
  fleet.reportPosition('b', { lat: home.lat + 1, lon: home.lon }, nowSeconds * 1000 - 1)
  assert.equal(fleet.refusal('b'), undefined, 'an older report does not replace a newer')
  fleet.reportPosition('b', { lat: home.lat + 1, lon: home.lon }, nowSeconds * 1000)
  assert.equal(fleet.refusal('b')?.code, 'ERR_GEOFENCE')
  fleet.reportPosition('b', home, nowSeconds * 1000)
  nowSeconds += 61
  assert.equal(fleet.refusal('b')?.code, 'ERR_GEOFENCE', 'a report grows old')
  nowSeconds -= 61
  assert.deepEqual(new Set(fleet.status().problems.map(({ evse }) => evse)), new Set(['later']))
})

test('an EVSE that is registered later is told once, when it is known', async () => {
  await using opened = await openFleet({ evses: [{ name: 'next', slot: 3 }] })
  const { fleet } = opened
  const told: (string | undefined)[] = []
  fleet.onRegistered(({ name }) => told.push(fleet.evse(name)?.name))
  await fleet.look()
  assert.deepEqual(told, [])
  const { client, deployment, lane, owner, zoneOperator } = given
  const { registry, token } = deployment
  const evses = [decodeEvseDescriptor(given.fleet.evseDescriptors[2]!)]
  const certificate = await signCertificate(
    zoneOperator,
    { chainId: client.chain.id, registry },
    { lane, firstSlot: 3, descriptors: evseDescriptorsHex(evses), deadline: BigInt(nowSeconds + 86_400) },
  )
  const possessions = [given.fleet.keys[2]!.possession()]
  await registerEvses({ client, account: owner }, { registry, token }, { lane, evses, certificate, possessions })
  await fleet.look()
  await fleet.look()
  assert.deepEqual(told, ['next'])
})

test('an end on L1 is followed: what lies before it is still signed, what lies after is not', async () => {
  await using opened = await openFleet()
  const { fleet } = opened
  const { client, contracts, lane, owner } = given
  const caller = { client, account: owner }
  const endsAt = await earliestEnd(caller)
  await endEvse(caller, contracts.registry, { lane, slot: 0, endsAt })
  await fleet.look()
  assert.equal(fleet.refusal('a'), undefined, 'it has not ended yet')
  const signer = {
    publicKey: given.fleet.evseDescriptors[0]!.slice(0, 64),
    expiresAtMs: undefined,
    sign: async () => new Uint8Array(64),
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  const permitted = permittedSigner(signer, (span) => fleet.refusal('a', span))
  const message = (start: number): Uint8Array => {
    const record = { evse: 0, contract: 0, start, intervals: 4, energyWh: 1, meterEndWh: 1, socDrop: 1, tempC: 20 }
    const domain = recordDomain({ chainId: 1n, rollup: contracts.rollup, lane })
    return recordMessage(domain, encodeRecord(record), 0, 0)
  }
  const last = Math.floor(endsAt / INTERVAL_SECONDS) - 4
  assert.equal((await permitted.sign(message(last))).length, 64)
  await assert.rejects(permitted.sign(message(last + 1)), code('ERR_AUTH_EXPIRED'))
  nowSeconds = endsAt + 1
  assert.equal(fleet.refusal('a')?.code, 'ERR_AUTH_EXPIRED')
  assert.equal(fleet.status().state, 'DEGRADED')
})

test('another operator of the lane is followed, and what the former one signed is still believed', async () => {
  await using opened = await openFleet()
  const { client, contracts, lane, owner } = given
  const other = anvilAccount(5).address
  const [first] = opened.fleet.operatorOf(lane) ?? []
  assert.ok(first !== undefined && first !== other)
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'setOperator', args: [lane, other] })
  await sendCall({ client, account: owner }, { to: contracts.rollup, data, label: 'another operator' })
  await opened.fleet.look()
  assert.deepEqual(opened.fleet.operatorOf(lane), [other, first])
  await opened.fleet.look()
  assert.deepEqual(opened.fleet.operatorOf(lane), [other, first])
})

test('a lost L1 shows, and what is known stays', async () => {
  await using opened = await openFleet()
  await anvil.stop()
  const { fleet } = opened
  await assert.rejects(fleet.look(), code('L1_UNREACHABLE'))
  assert.equal(fleet.evse('b')?.name, 'b')
})
