import { type BlsKey, parseBlsKey, parseL1Signature, verifyBlsAggregate } from './bls.ts'
import type { SettlingChunk } from './chunk.ts'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from './domain.ts'
import type { LaneRules } from './laneRules.ts'
import { RECORD_BYTES } from './limits.ts'
import { parseP256Key, verifyP256 } from './p256.ts'
import { isEmptyRecord, recordEvse } from './record.ts'
import { Scheme } from './scheme.ts'
import type { Settlement } from './settlement.ts'

/** Check 2 of docs/protocol.md §5 for the chunks of one lane. */
export interface ChunkSignatures {
  /** One byte a record place: 1 where the record passes check 1 and its signature verifies. */
  judge(settlement: Settlement, chunk: SettlingChunk): Uint8Array
}

interface Lane {
  readonly rules: LaneRules
  /** Its signing domain. */
  readonly domain: Uint8Array
}

/** In this thread, by the scheme of the lane's rules. Keys are parsed once. */
export function chunkSignatures(lane: Lane): ChunkSignatures {
  return new engines[lane.rules.layout.scheme](lane)
}

class P256Signatures implements ChunkSignatures {
  readonly #lane: Lane
  readonly #keys = new SlotKeys(parseP256Key)
  readonly #message = new Uint8Array(RECORD_MESSAGE_BYTES)

  constructor(lane: Lane) {
    this.#lane = lane
  }

  judge(settlement: Settlement, chunk: SettlingChunk): Uint8Array {
    const { bytes, stride } = chunk.records
    const verdicts = new Uint8Array(chunk.records.count)
    for (const place of placesWorthVerifying(settlement, chunk)) {
      const at = chunk.records.at + place * stride
      writeMessage(this.#message, this.#lane, bytes, at)
      const key = this.#keys.of(this.#lane.rules, recordEvse(bytes, at))
      if (verifyP256(key, this.#message, bytes.subarray(at + RECORD_BYTES, at + stride))) verdicts[place] = 1
    }
    return verdicts
  }
}

/** A chunk's records stand and fall together. */
class BlsSignatures implements ChunkSignatures {
  readonly #lane: Lane
  readonly #keys = new SlotKeys(parseBlsKey)

  constructor(lane: Lane) {
    this.#lane = lane
  }

  judge(settlement: Settlement, chunk: SettlingChunk): Uint8Array {
    const { rules } = this.#lane
    const { bytes, at: first, stride, count } = chunk.records
    const verdicts = new Uint8Array(count)
    const places = placesWorthVerifying(settlement, chunk)
    if (places.length === 0) return verdicts
    const keys: (BlsKey | undefined)[] = []
    const messages: Uint8Array[] = []
    for (const place of places) {
      const at = first + place * stride
      const message = new Uint8Array(RECORD_MESSAGE_BYTES)
      writeMessage(message, this.#lane, bytes, at)
      keys.push(this.#keys.of(rules, recordEvse(bytes, at)))
      messages.push(message)
    }
    const aggregate = parseL1Signature(chunk.body.subarray(0, rules.layout.headBytes))
    if (verifyBlsAggregate(keys, messages, aggregate)) for (const place of places) verdicts[place] = 1
    return verdicts
  }
}

/** The places of records that pass check 1: of those alone a signature is asked for, and of forced ones L1 has asked. */
export function placesWorthVerifying(settlement: Settlement, { records, isForced }: SettlingChunk): number[] {
  if (isForced) return []
  const { bytes, at: first, stride, count } = records
  const places: number[] = []
  for (let place = 0; place < count; place++) {
    const at = first + place * stride
    if (!isEmptyRecord(bytes, at) && settlement.knowsEvse(bytes, at)) places.push(place)
  }
  return places
}

function writeMessage(into: Uint8Array, { rules, domain }: Lane, record: Uint8Array, recordAt: number): void {
  const position = rules.evsePosition(recordEvse(record, recordAt))
  writeRecordMessage(into, { domain, record, recordAt, position, positionAt: 0 })
}

/** Keys by slot: a slot's key never changes. */
class SlotKeys<Key> {
  readonly #parse: (bytes: Uint8Array) => Key | undefined
  readonly #keys = new Map<number, Key | undefined>()

  constructor(parse: (bytes: Uint8Array) => Key | undefined) {
    this.#parse = parse
  }

  of(rules: LaneRules, slot: number): Key | undefined {
    if (!this.#keys.has(slot)) this.#keys.set(slot, this.#parse(rules.evseKey(slot)))
    return this.#keys.get(slot)
  }
}

const engines: Record<Scheme, new (lane: Lane) => ChunkSignatures> = {
  [Scheme.P256]: P256Signatures,
  [Scheme.BLS]: BlsSignatures,
}
