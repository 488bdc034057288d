import { recordMessage } from '../../../protocol/domain.ts'
import { P256_CHUNK_RECORDS } from '../../../protocol/limits.ts'
import { encodeRecord, SIGNED_RECORD_BYTES } from '../../../protocol/record.ts'
import { P256_ORDER, withOtherS, wordBytes } from './evseKey.ts'
import type { Random } from './random.ts'
import { Aim, type AimedRecord, randomRecord, type World } from './record.ts'
import { P256_LAYOUT } from '../../../protocol/scheme.ts'

/** Writes one random signed record to `body` at `at`. */
export function writeSignedRecord(
  random: Random,
  world: World,
  domain: Uint8Array,
  body: Uint8Array,
  at: number,
): void {
  const aimed = randomRecord(random, world)
  const bytes = encodeRecord(aimed.record)
  body.set(bytes, at)
  body.set(signatureOf(random, world, domain, aimed, bytes), at + bytes.length)
}

/** The body of a P-256 chunk; `each` is told of every record as soon as it is written, before the next is made up. */
export function randomChunkBody(
  random: Random,
  world: World,
  domain: Uint8Array,
  each: (body: Uint8Array, at: number) => void,
): Uint8Array {
  const body = new Uint8Array(P256_LAYOUT.bodyBytes)
  // One chunk in twelve is bytes of no meaning at all, one in twelve mostly empty.
  if (random.chance(1 / 12)) body.set(random.chance(0.5) ? random.bytes(body.length) : body.fill(0xff))
  const records = random.chance(1 / 12) ? random.int(0, 3) : P256_CHUNK_RECORDS
  for (let i = 0; i < P256_CHUNK_RECORDS; i++) {
    const at = i * SIGNED_RECORD_BYTES
    const hostile = body[at] !== 0
    if (!hostile && i < records) writeSignedRecord(random, world, domain, body, at)
    each(body, at)
  }
  return body
}

function signatureOf(
  random: Random,
  world: World,
  domain: Uint8Array,
  { aim, record }: AimedRecord,
  bytes: Uint8Array,
): Uint8Array {
  const { evses } = world.facts
  // Empty records with bytes behind them are empty still.
  if (aim === Aim.EMPTY) return random.chance(0.5) ? new Uint8Array(64) : random.bytes(64)
  const evse = evses[record.evse] ?? random.pick(evses)
  const { lat, lon } = evse.descriptor
  const good = evse.key.sign(recordMessage(domain, bytes, lat, lon))
  if (aim !== Aim.BAD_SIGNATURE) return random.chance(0.3) ? withOtherS(good) : good
  const [r, s] = [good.subarray(0, 32), good.subarray(32)]
  const word = (value: bigint): Uint8Array => wordBytes(value)
  return random.pick<() => Uint8Array>([
    () => new Uint8Array(64),
    () => new Uint8Array(64).fill(0xff),
    () => good.with(random.int(0, 63), random.int(0, 255)),
    () => new Uint8Array([...s, ...r]),
    () => new Uint8Array([...word(0n), ...s]),
    () => new Uint8Array([...r, ...word(0n)]),
    () => new Uint8Array([...word(P256_ORDER), ...s]),
    () => new Uint8Array([...r, ...word(P256_ORDER)]),
    () => new Uint8Array([...word(1n), ...word(1n)]),
    // A genuine signature, of another EVSE, another lane, another place.
    () => random.pick(evses).key.sign(recordMessage(domain, bytes, lat, lon)),
    () => evse.key.sign(recordMessage(domain.with(0, domain[0]! ^ 1), bytes, lat, lon)),
    () => evse.key.sign(recordMessage(domain, bytes, lat + 1, lon)),
  ])()
}
