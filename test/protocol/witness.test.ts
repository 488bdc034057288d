import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeAbiParameters, hexToBytes, keccak256, parseAbiParameters } from 'viem'
import { encodeContractDescriptor, encodeEvseDescriptor } from '../../protocol/descriptor.ts'
import { calldataOpening, encodeProof } from '../../protocol/fraudProof.ts'
import { LaneRules, NONE } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { encodeRecord, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { encodeTariff, tariffFrom } from '../../protocol/tariff.ts'
import { buildWitness } from '../../protocol/witness.ts'
import { naiveMultiproofRoot } from './naiveTree.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { bodyRecords } from '../../protocol/chunk.ts'

const AS_OF = 1_000_000_000
const NOW = Math.floor(AS_OF / 15)

function lane(): { rules: LaneRules; state: LaneState } {
  const rules = new LaneRules(P256_LAYOUT)
  for (let slot = 0; slot < 40; slot++) {
    const evse = {
      key: new Uint8Array(64).fill(slot),
      ratedW: 7000 + slot,
      lat: 1,
      lon: -1,
      radiusM: 10,
      depositMicro: 0n,
    }
    rules.applyEvsesRegistered({ firstSlot: slot, activeFrom: 1, descriptors: encodeEvseDescriptor(evse) })
    const contract = { vehicle: BigInt(slot), incentiveBps: slot, capacityWh: 60_000, vehicleKey: undefined }
    rules.applyContractsEnrolled({ firstSlot: slot, activeFrom: 1, descriptors: encodeContractDescriptor(contract) })
  }
  for (const [version, tolerance] of [10, 20, 30].entries()) {
    const fromPeriod = Math.floor((NOW - 600 + 240 * version) / 60)
    const tiers = { powerW: [0], sessionIntervals: [0], bps: [[10_000]] }
    const parts = { socToleranceBps: tolerance, maxIncentiveBps: 1, tiers, thermal: [{ fromC: 0, bps: 1 }] }
    rules.applyTariffSet({ version, fromPeriod, tariff: encodeTariff(tariffFrom(parts)) })
  }
  rules.applyCheckpointAdded({ index: 0, effectiveFrom: 5, fundedMicro: 5n })
  const state = new LaneState()
  for (let slot = 0; slot < 40; slot++) {
    state.evses.setLeaf(slot, new Uint8Array(32).fill(slot + 1))
    state.contracts.setLeaf(slot, new Uint8Array(32).fill(slot + 101))
  }
  state.position = 77
  return { rules, state }
}

function chunkOf(records: readonly { evse: number; contract: number; start: number }[]): Uint8Array {
  const body = new Uint8Array(P256_LAYOUT.bodyBytes)
  const rest = { intervals: 1, energyWh: 1, meterEndWh: 1, socDrop: 1, tempC: 1 }
  for (const [i, record] of records.entries()) encodeRecord({ ...record, ...rest }, body, i * SIGNED_RECORD_BYTES)
  return body
}

function entriesOf(bytes: Uint8Array, stride: number): { slot: number; leaf: Uint8Array; descriptor: Uint8Array }[] {
  assert.equal(bytes.length % stride, 0)
  return Array.from({ length: bytes.length / stride }, (_, i) => {
    const entry = bytes.subarray(i * stride, (i + 1) * stride)
    return { slot: Buffer.from(entry).readUInt32BE(0), leaf: entry.subarray(4, 36), descriptor: entry.subarray(36) }
  })
}

function siblingsOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / 32 }, (_, i) => bytes.subarray(i * 32, (i + 1) * 32))
}

test('brings every registered slot once, rising, with leaves that prove the state', () => {
  const { rules, state } = lane()
  const body = chunkOf([
    { evse: 30, contract: 5, start: NOW - 10 },
    { evse: 2, contract: 39, start: NOW - 600 },
    { evse: 30, contract: 4, start: NOW - 5 },
    { evse: 40, contract: 0xffffffff, start: 0xffffffff },
  ])
  const witness = buildWitness(state, rules, AS_OF, bodyRecords(P256_LAYOUT, body))
  const evses = entriesOf(hexToBytes(witness.evses), 4 + 32 + 85)
  const contracts = entriesOf(hexToBytes(witness.contracts), 4 + 32 + 77)
  assert.deepEqual(
    evses.map((entry) => entry.slot),
    [2, 30],
  )
  assert.deepEqual(
    contracts.map((entry) => entry.slot),
    [4, 5, 39],
  )
  for (const { slot, descriptor } of evses)
    assert.deepEqual(Buffer.from(descriptor), Buffer.from(rules.evses.descriptor(slot)))
  for (const { slot, descriptor } of contracts) {
    assert.deepEqual(Buffer.from(descriptor), Buffer.from(rules.contracts.descriptor(slot)))
  }
  const root = (entries: typeof evses, siblings: Uint8Array): Buffer =>
    naiveMultiproofRoot(
      entries.map(({ slot, leaf }) => [slot, leaf] as const),
      siblingsOf(siblings),
    )
  assert.deepEqual(root(evses, hexToBytes(witness.evseSiblings)), Buffer.from(state.evses.root()))
  assert.deepEqual(root(contracts, hexToBytes(witness.contractSiblings)), Buffer.from(state.contracts.root()))
  assert.equal(witness.laneLeaf, `0x${Buffer.from(state.laneLeafBytes()).toString('hex')}`)
  assert.equal(witness.fundingIndex, 0)
  // Version 1's periods hold none of the records, and the record far in the future passes no check that needs a tariff.
  assert.deepEqual(witness.tariffVersions, [0, 2])
  assert.equal(
    witness.tariffs,
    `0x${Buffer.concat([rules.tariffs[0]!.bytes, rules.tariffs[2]!.bytes]).toString('hex')}`,
  )
})

test('an empty chunk still brings slot 0 of both trees, even in a lane without registrations', () => {
  for (const { rules, state } of [lane(), { rules: new LaneRules(P256_LAYOUT), state: new LaneState() }]) {
    const witness = buildWitness(state, rules, AS_OF, bodyRecords(P256_LAYOUT, new Uint8Array(0)))
    const evses = entriesOf(hexToBytes(witness.evses), 4 + 32 + 85)
    assert.deepEqual(
      evses.map((entry) => entry.slot),
      [0],
    )
    const proven = naiveMultiproofRoot([[0, evses[0]!.leaf]], siblingsOf(hexToBytes(witness.evseSiblings)))
    assert.deepEqual(proven, Buffer.from(state.evses.root()))
    assert.deepEqual(
      entriesOf(hexToBytes(witness.contracts), 4 + 32 + 77).map((entry) => entry.slot),
      [0],
    )
    assert.deepEqual(witness.tariffVersions, [])
    assert.equal(witness.fundingIndex, rules.checkpoints.length === 0 ? NONE : 0)
  }
})

test('a record whose signature is cut off still counts', () => {
  const { rules, state } = lane()
  const body = chunkOf([{ evse: 7, contract: 8, start: NOW - 10 }]).subarray(0, 24)
  assert.deepEqual(
    entriesOf(hexToBytes(buildWitness(state, rules, AS_OF, bodyRecords(P256_LAYOUT, body)).evses), 121).map(
      (entry) => entry.slot,
    ),
    [7],
  )
})

test('building a witness leaves the state as it was', () => {
  const { rules, state } = lane()
  const before = state.root()
  buildWitness(state, rules, AS_OF, bodyRecords(P256_LAYOUT, chunkOf([{ evse: 1, contract: 1, start: NOW - 3 }])))
  assert.deepEqual(state.root(), before)
})

test('encodes a proof as Solidity does', () => {
  const { rules, state } = lane()
  const witness = buildWitness(
    state,
    rules,
    AS_OF,
    bodyRecords(P256_LAYOUT, chunkOf([{ evse: 1, contract: 1, start: NOW - 3 }])),
  )
  const proof = { dataWords: [keccak256('0x01')], opening: calldataOpening('0x0102', undefined), witness }
  const types = parseAbiParameters([
    '(bytes32[] dataWords, Opening opening, Witness witness)',
    'struct Opening { bytes chunk; bytes commitment; bytes cellProof; bytes next; }',
    'struct Witness { bytes32 laneLeaf; uint32 fundingIndex; uint32[] tariffVersions; bytes tariffs; bytes evses; bytes evseSiblings; bytes contracts; bytes contractSiblings; }',
  ])
  assert.deepEqual(decodeAbiParameters(types, encodeProof(proof))[0], proof)
})
