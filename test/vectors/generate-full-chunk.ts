// Writes full-chunk.json: the dearest P-256 chunk there is, 22 settling records of 22 EVSEs and 22 contracts spread over the whole of
// both trees, as chunk 1 of a blob, with the proof and the root that this side computes. Signatures are deterministic (RFC 6979), so
// the file is. `node test/vectors/generate-full-chunk.ts`
import { writeFileSync } from 'node:fs'
import { p256 } from '@noble/curves/nist.js'
import type { Hex } from 'viem'
import { DataKind, hashDataWords } from '../../protocol/batchHeader.ts'
import { BLOB_BYTES, CELL_BYTES, writeCell } from '../../protocol/chunk.ts'
import { encodeContractDescriptor, encodeEvseDescriptor, slotWord } from '../../protocol/descriptor.ts'
import { recordDomain, recordMessage } from '../../protocol/domain.ts'
import { encodeProof } from '../../protocol/fraudProof.ts'
import { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { CONTRACT_DESCRIPTOR_BYTES, P256_CHUNK_RECORDS, P256_EVSE_DESCRIPTOR_BYTES } from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { encodeRecord, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { encodeTariff, tariffFrom } from '../../protocol/tariff.ts'
import { buildWitness } from '../../protocol/witness.ts'
import { fromHex, toHex } from '../../l1/bytes.ts'
import { blobToCommitment, cellsAndProofs, decompressG1, pointProof, versionedHash } from '../../l1/kzg.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { bodyRecords } from '../../protocol/chunk.ts'

const LANE = 7
const ZONE = 3
const AS_OF = 1_800_000_007
const PERIOD = 1_999_999
const CHUNK = 1
/** Twenty-second parts of the tree: no two paths meet below the fifth level from the root. */
const STEP = Math.floor(2 ** 20 / P256_CHUNK_RECORDS)
const SLOTS = STEP * (P256_CHUNK_RECORDS - 1) + 12_346
const rollup: Hex = '0x00000000000000000000000000000000000000b1'

const slots = Array.from({ length: P256_CHUNK_RECORDS }, (_, i) => i * STEP + 12_345)
const secrets = slots.map((slot) => fromHex((BigInt(slot) * 0x1234567890abcdefn + 1n).toString(16).padStart(64, '0')))
const evses = slots.map((slot, i) => ({
  key: p256.getPublicKey(secrets[i]!, false).slice(1),
  ratedW: 11_000 + slot,
  lat: 523_702_160 - slot,
  lon: -48_951_680 + slot,
  radiusM: 40,
  depositMicro: 250_000_000n,
}))
const contracts = slots.map((slot) => ({
  vehicle: BigInt(slot) + 1n,
  incentiveBps: 10_000 + (slot % 977),
  capacityWh: 60_000,
  vehicleKey: p256.getPublicKey(secrets[3]!, false).slice(1),
}))
const tariffParts = {
  socToleranceBps: 600,
  maxIncentiveBps: 20_000,
  tiers: { powerW: [0, 3_000, 7_000], sessionIntervals: [0, 40], bps: [[9_000, 9_500], [10_000, 10_500], [12_000, 12_345]] },
  thermal: [{ fromC: 0, bps: 10_000 }, { fromC: 45, bps: 7_777 }, { fromC: 60, bps: 0 }],
}

const rules = rulesOfLane()
const state = new LaneState()
const before = new Settlement(state, rules, AS_OF)
const domain = recordDomain({ chainId: 31_337n, rollup, lane: LANE })

// The records of chunk 0 put something into every leaf that chunk 1 touches.
const roots = [state.root()]
const bodies: Uint8Array[] = []
let witness: ReturnType<typeof buildWitness> | undefined
for (let chunk = 0; chunk < 3; chunk++) {
  const body = chunkBody(chunk)
  if (chunk === CHUNK) witness = buildWitness(state, rules, AS_OF, bodyRecords(P256_LAYOUT, body))
  for (let i = 0; i < P256_CHUNK_RECORDS; i++) {
    const outcome = before.settle(body, i * SIGNED_RECORD_BYTES, signatureOf(body, i))
    if (outcome !== Outcome.SETTLED) throw new Error(`record ${i} of chunk ${chunk}: outcome ${outcome}`)
  }
  bodies.push(body)
  roots.push(state.root())
}

const blob = new Uint8Array(BLOB_BYTES)
for (const [i, body] of bodies.entries()) writeCell(blob, i, roots[i]!, body)
const commitment = await blobToCommitment(blob)
const { cells, proofs } = await cellsAndProofs(blob)
const next = await pointProof(blob, 64 * (CHUNK + 1))
const dataWords = [versionedHash(commitment)]
const proof = encodeProof({
  dataWords,
  opening: {
    chunk: toHex(blob.slice(CHUNK * CELL_BYTES, (CHUNK + 1) * CELL_BYTES)),
    commitment: toHex(decompressG1(commitment)),
    cellProof: toHex(decompressG1(proofs[CHUNK]!)),
    next: toHex(new Uint8Array([...next.y, ...commitment, ...next.proof])),
  },
  witness: witness!,
})
if (Buffer.compare(cells[CHUNK]!, blob.slice(CHUNK * CELL_BYTES, (CHUNK + 1) * CELL_BYTES)) !== 0) throw new Error('cell')

const vector = {
  lane: LANE,
  zone: ZONE,
  asOf: AS_OF,
  domain: toHex(domain),
  parentRoot: toHex(roots[0]!),
  postRoot: toHex(roots[3]!),
  dataKind: DataKind.BLOB,
  chunkCount: 3,
  dataHash: hashDataWords(dataWords),
  chunk: CHUNK,
  slots,
  evseWords: slots.map((slot) => slotWord(rules.evses.descriptor(slot), 1, 0xffffffff)),
  contractWords: slots.map((slot) => slotWord(rules.contracts.descriptor(slot), 1, 0xffffffff)),
  period: PERIOD,
  priceNano: rules.priceNano(PERIOD),
  tariffFromPeriod: PERIOD - 9,
  tariff: toHex(rules.tariffs[0]!.bytes),
  effectiveFrom: rules.checkpoints[0]!.effectiveFrom,
  fundedMicro: Number(rules.checkpoints[0]!.fundedMicro),
  claimed: toHex(roots[CHUNK + 1]!),
  proof,
}
writeFileSync(new URL('full-chunk.json', import.meta.url), `${JSON.stringify(vector, null, 1)}\n`)

function rulesOfLane(): LaneRules {
  const lane = new LaneRules(P256_LAYOUT)
  const evseBytes = new Uint8Array(SLOTS * P256_EVSE_DESCRIPTOR_BYTES)
  const contractBytes = new Uint8Array(SLOTS * CONTRACT_DESCRIPTOR_BYTES)
  for (const [i, slot] of slots.entries()) {
    evseBytes.set(encodeEvseDescriptor(evses[i]!), slot * P256_EVSE_DESCRIPTOR_BYTES)
    contractBytes.set(encodeContractDescriptor(contracts[i]!), slot * CONTRACT_DESCRIPTOR_BYTES)
  }
  lane.applyEvsesRegistered({ firstSlot: 0, activeFrom: 1, descriptors: evseBytes })
  lane.applyContractsEnrolled({ firstSlot: 0, activeFrom: 1, descriptors: contractBytes })
  lane.applyTariffSet({ version: 0, fromPeriod: PERIOD - 9, tariff: encodeTariff(tariffFrom(tariffParts)) })
  lane.applyPricesSet({ firstPeriod: PERIOD, prices: [412_345] })
  lane.applyCheckpointAdded({ index: 0, effectiveFrom: 1_700_000_000, fundedMicro: 1_000_000_000_000n })
  return lane
}

function chunkBody(chunk: number): Uint8Array {
  const body = new Uint8Array(P256_CHUNK_RECORDS * SIGNED_RECORD_BYTES)
  for (const [i, slot] of slots.entries()) {
    const record = encodeRecord({
      evse: slot,
      contract: slots[(i + 5) % slots.length]!,
      start: PERIOD * 60 + 20 * chunk,
      intervals: 20,
      energyWh: 700 + i,
      meterEndWh: 1_000_000 + 1_000 * chunk,
      socDrop: 180,
      tempC: 20 + i,
    } as Parameters<typeof encodeRecord>[0])
    const message = recordMessage(domain, record, evses[i]!.lat, evses[i]!.lon)
    body.set(record, i * SIGNED_RECORD_BYTES)
    body.set(p256.sign(message, secrets[i]!, { prehash: true, lowS: false }), i * SIGNED_RECORD_BYTES + record.length)
  }
  return body
}

function signatureOf(body: Uint8Array, i: number): boolean {
  const signed = body.subarray(i * SIGNED_RECORD_BYTES, (i + 1) * SIGNED_RECORD_BYTES)
  const message = recordMessage(domain, signed.subarray(0, 24), evses[i]!.lat, evses[i]!.lon)
  return verifyP256(parseP256Key(evses[i]!.key), message, signed.subarray(24))
}
