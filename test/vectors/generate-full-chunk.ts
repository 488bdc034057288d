// Writes full-chunk.json and full-bls-chunk.json: the dearest chunk there is of either scheme, 22 or 64 settling records of as many EVSEs
// and contracts spread over the whole of both trees, as chunk 1 of a blob, with the proof and the root that this side computes.
// Signatures are deterministic (RFC 6979; BLS anyway), so the files are. `node test/vectors/generate-full-chunk.ts`
import { writeFileSync } from 'node:fs'
import { SecretKey } from '@chainsafe/blst'
import { p256 } from '@noble/curves/nist.js'
import type { Hex } from 'viem'
import { fromHex, toHex } from '../../l1/bytes.ts'
import { blobToCommitment, cellsAndProofs, decompressG1, pointProof, versionedHash } from '../../l1/kzg.ts'
import { DataKind, hashDataWords } from '../../protocol/batchHeader.ts'
import { aggregateBls, blsKeyBytes, parseL1Signature, verifyBlsAggregate } from '../../protocol/bls.ts'
import { BLOB_BYTES, bodyRecords, CELL_BYTES, writeCell } from '../../protocol/chunk.ts'
import { encodeContractDescriptor, encodeEvseDescriptor, slotWord } from '../../protocol/descriptor.ts'
import { recordDomain, recordMessage } from '../../protocol/domain.ts'
import { encodeProof } from '../../protocol/fraudProof.ts'
import { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { CONTRACT_DESCRIPTOR_BYTES } from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { encodeRecord } from '../../protocol/record.ts'
import { BLS_LAYOUT, P256_LAYOUT, type SchemeLayout } from '../../protocol/scheme.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { encodeTariff, tariffFrom } from '../../protocol/tariff.ts'
import { buildWitness } from '../../protocol/witness.ts'

const LANE = 7
const ZONE = 3
const AS_OF = 1_800_000_007
const PERIOD = 1_999_999
const CHUNK = 1
const CHUNKS = 3
const rollup: Hex = '0x00000000000000000000000000000000000000b1'
const domain = recordDomain({ chainId: 31_337n, rollup, lane: LANE })
const tariffParts = {
  socToleranceBps: 600,
  maxIncentiveBps: 20_000,
  tiers: { powerW: [0, 3_000, 7_000], sessionIntervals: [0, 40], bps: [[9_000, 9_500], [10_000, 10_500], [12_000, 12_345]] },
  thermal: [{ fromC: 0, bps: 10_000 }, { fromC: 45, bps: 7_777 }, { fromC: 60, bps: 0 }],
}

interface Signers {
  readonly keys: readonly Uint8Array[]
  /** A chunk's body: the records, record i by signer i. */
  readonly body: (records: readonly Uint8Array[], messages: readonly Uint8Array[]) => Uint8Array
  /** Whether everything in it verifies. */
  readonly verify: (body: Uint8Array, messages: readonly Uint8Array[]) => boolean
}

function p256Signers(secrets: readonly Uint8Array[]): Signers {
  const keys = secrets.map((secret) => p256.getPublicKey(secret, false).slice(1))
  const { recordStride } = P256_LAYOUT
  return {
    keys,
    body: (records, messages) => {
      const signed = records.map((record, i) => {
        const signature = p256.sign(messages[i]!, secrets[i]!, { prehash: true, lowS: false })
        return [...record, ...signature]
      })
      return Uint8Array.from(signed.flat())
    },
    verify: (body, messages) =>
      messages.every((message, i) =>
        verifyP256(parseP256Key(keys[i]!), message, body.subarray(i * recordStride + 24, (i + 1) * recordStride)),
      ),
  }
}

function blsSigners(secrets: readonly Uint8Array[]): Signers {
  const secretKeys = secrets.map((secret) => SecretKey.fromBytes(secret))
  const publicKeys = secretKeys.map((secret) => secret.toPublicKey())
  return {
    keys: publicKeys.map(blsKeyBytes),
    body: (records, messages) => {
      const aggregate = aggregateBls(messages.map((message, i) => secretKeys[i]!.sign(message)))
      return Uint8Array.from([...aggregate, ...records.flatMap((record) => [...record])])
    },
    verify: (body, messages) =>
      verifyBlsAggregate(publicKeys, messages, parseL1Signature(body.subarray(0, BLS_LAYOUT.headBytes))),
  }
}

await write('full-chunk.json', P256_LAYOUT, p256Signers)
await write('full-bls-chunk.json', BLS_LAYOUT, blsSigners)

async function write(name: string, layout: SchemeLayout, signersOf: (secrets: Uint8Array[]) => Signers): Promise<void> {
  // As many equal parts of the tree as records: paths meet near the root alone.
  const step = Math.floor(2 ** 20 / layout.chunkRecords)
  const slots = Array.from({ length: layout.chunkRecords }, (_, i) => i * step + 12_345)
  const secrets = slots.map((slot) => fromHex((BigInt(slot) * 0x1234567890abcdefn + 1n).toString(16).padStart(64, '0')))
  const signers = signersOf(secrets)
  const places = slots.map((slot) => ({ lat: 523_702_160 - slot, lon: -48_951_680 + slot }))
  const vehicleKey = p256.getPublicKey(secrets[3]!, false).slice(1)

  const rules = rulesOfLane()
  const state = new LaneState()
  const settlement = new Settlement(state, rules, AS_OF)
  // The records of chunk 0 put something into every leaf that chunk 1 touches.
  const roots = [state.root()]
  const bodies: Uint8Array[] = []
  let witness: ReturnType<typeof buildWitness> | undefined
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const records = slots.map((_, i) => recordOf(chunk, i))
    const messages = records.map((record, i) => recordMessage(domain, record, places[i]!.lat, places[i]!.lon))
    const body = signers.body(records, messages)
    if (!signers.verify(body, messages)) throw new Error(`signatures of chunk ${chunk}`)
    const run = bodyRecords(layout, body)
    if (chunk === CHUNK) witness = buildWitness(state, rules, AS_OF, run)
    for (let i = 0; i < run.count; i++) {
      const outcome = settlement.settle(run.bytes, run.at + i * run.stride, true)
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
  const cell = blob.slice(CHUNK * CELL_BYTES, (CHUNK + 1) * CELL_BYTES)
  if (Buffer.compare(cells[CHUNK]!, cell) !== 0) throw new Error('cell')
  const dataWords = [versionedHash(commitment)]
  const proof = encodeProof({
    dataWords,
    opening: {
      chunk: toHex(cell),
      commitment: toHex(decompressG1(commitment)),
      cellProof: toHex(decompressG1(proofs[CHUNK]!)),
      next: toHex(new Uint8Array([...next.y, ...commitment, ...next.proof])),
    },
    witness: witness!,
  })

  const vector = {
    scheme: layout.scheme,
    lane: LANE,
    zone: ZONE,
    asOf: AS_OF,
    domain: toHex(domain),
    parentRoot: toHex(roots[0]!),
    postRoot: toHex(roots[CHUNKS]!),
    dataKind: DataKind.BLOB,
    chunkCount: CHUNKS,
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
  writeFileSync(new URL(name, import.meta.url), `${JSON.stringify(vector, null, 1)}\n`)

  function rulesOfLane(): LaneRules {
    const lane = new LaneRules(layout)
    const last = slots.at(-1)!
    const evseBytes = new Uint8Array((last + 1) * layout.evseDescriptorBytes)
    const contractBytes = new Uint8Array((last + 1) * CONTRACT_DESCRIPTOR_BYTES)
    for (const [i, slot] of slots.entries()) {
      const key = signers.keys[i]!
      const evse = { key, ratedW: 11_000 + slot, ...places[i]!, radiusM: 40, depositMicro: 250_000_000n }
      const contract = { vehicle: BigInt(slot) + 1n, incentiveBps: 10_000 + (slot % 977), capacityWh: 60_000, vehicleKey }
      evseBytes.set(encodeEvseDescriptor(evse), slot * layout.evseDescriptorBytes)
      contractBytes.set(encodeContractDescriptor(contract), slot * CONTRACT_DESCRIPTOR_BYTES)
    }
    lane.applyEvsesRegistered({ firstSlot: 0, activeFrom: 1, descriptors: evseBytes })
    lane.applyContractsEnrolled({ firstSlot: 0, activeFrom: 1, descriptors: contractBytes })
    lane.applyTariffSet({ version: 0, fromPeriod: PERIOD - 9, tariff: encodeTariff(tariffFrom(tariffParts)) })
    lane.applyPricesSet({ firstPeriod: PERIOD, prices: [412_345] })
    lane.applyCheckpointAdded({ index: 0, effectiveFrom: 1_700_000_000, fundedMicro: 1_000_000_000_000n })
    return lane
  }

  function recordOf(chunk: number, i: number): Uint8Array {
    return encodeRecord({
      evse: slots[i]!,
      contract: slots[(i + 5) % slots.length]!,
      start: PERIOD * 60 + 20 * chunk,
      intervals: 20,
      energyWh: 700 + i,
      meterEndWh: 1_000_000 + 1_000 * chunk,
      socDrop: 180,
      tempC: 20 + (i % 22),
    } as Parameters<typeof encodeRecord>[0])
  }
}
