import type { KeyObject } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AnsweredRow, Outbox, OutboxRow } from '../../evse/outbox/outbox.ts'
import type { StoreOp } from '../../evse/store/edgeStore.ts'
import { MAX_RECORDS_BYTES } from '../../evse/mqtt/limits.ts'
import { parsePayload, recordsSchema } from '../../evse/mqtt/payloads.ts'
import { writeU32 } from '../../protocol/bigEndian.ts'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from '../../protocol/domain.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { recordEvse, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { countRows, MAX_REQUEST_RECORDS } from '../../protocol/wire.ts'
import { retry } from '../../runtime/wait.ts'
import type { EdgeEvse } from '../fleet/directory.ts'
import type { Fault } from './faultReplies.ts'
import { FIRST_PUT_RETRY_MS, MAX_PUT_RETRY_MS, PUT_ATTEMPTS, SIGNATURES_A_SLICE } from './limits.ts'

export interface RecordIntakeSettings {
  readonly outbox: Outbox
  /** `recordDomain` of a lane. */
  readonly domainOf: (lane: number) => Uint8Array
  /** What else goes into the write that takes rows in. */
  readonly alsoTaken: ((evse: EdgeEvse, rows: readonly Uint8Array[]) => readonly StoreOp[]) | undefined
  /** Rows that were answered before are answered again, at once. */
  readonly onKnown: (evse: EdgeEvse, row: AnsweredRow) => void
  /** Told while the outbox does not take rows. */
  readonly onBusy: (error: unknown) => void
  readonly signal: AbortSignal
}

/** What came of a message: rows that are durable, and what was wrong with the others. */
export interface Intake {
  readonly taken: number
  readonly fault?: Fault
  /** Rows that no sequencer would take either: each is answered, so that its sender does not ask for it for ever. */
  readonly refused?: readonly Uint8Array[]
}

/** `{` of JSON. As the first byte of a record it would be a slot above two billion. */
const BRACE = 0x7b

/** Takes rows of one EVSE into the outbox once they are shown to be its own. */
export class RecordIntake {
  readonly #settings: RecordIntakeSettings
  readonly #keys = new Map<string, { readonly bytes: Uint8Array; readonly key: KeyObject | undefined }>()

  constructor(settings: RecordIntakeSettings) {
    this.#settings = settings
  }

  /** Resolves when what is good is on disk. @throws BackfeedError OUTBOX_FULL, STORE_FAILED: nothing was taken, the message must be kept */
  async take(evse: EdgeEvse, payload: Uint8Array): Promise<Intake> {
    const rows = readRows(payload)
    if ('code' in rows) return { taken: 0, fault: rows }
    const strangers = rows.filter((row) => recordEvse(row, 0) !== evse.slot)
    if (strangers.length > 0) {
      const message = `${evse.name} is slot ${evse.slot}: it cannot speak for slot ${recordEvse(strangers[0]!, 0)}`
      return { taken: 0, fault: { code: 'WRONG_EVSE', message, records: strangers.map(recordOf) } }
    }
    const { good, bad } = await this.#checkSignatures(evse, rows)
    if (good.length > 0) await this.#put(evse, good)
    if (bad.length === 0) return { taken: good.length }
    const message = `${bad.length} of ${rows.length} rows are not signed by the key that ${evse.name} is registered with`
    return { taken: good.length, fault: { code: 'BAD_SIGNATURE', message, records: bad.map(recordOf) }, refused: bad }
  }

  async #put(evse: EdgeEvse, rows: readonly Uint8Array[]): Promise<void> {
    const { outbox, alsoTaken, onKnown, onBusy, signal } = this.#settings
    const fresh: OutboxRow[] = []
    const unseen: Uint8Array[] = []
    for (const row of rows) {
      const known = await outbox.find(evse.lane, row)
      if (known === undefined) unseen.push(row)
      if (known === undefined || known === 'WAITING') fresh.push({ lane: evse.lane, row })
      else onKnown(evse, known)
    }
    if (fresh.length === 0) return
    const policy = { attempts: PUT_ATTEMPTS, firstDelayMs: FIRST_PUT_RETRY_MS, maxDelayMs: MAX_PUT_RETRY_MS }
    await retry(
      policy,
      async () => {
        try {
          await outbox.put(fresh, alsoTaken?.(evse, unseen))
        } catch (error) {
          onBusy(error)
          throw error
        }
      },
      signal,
    )
  }

  /** 0.12 ms a row. */
  async #checkSignatures(
    evse: EdgeEvse,
    rows: readonly Uint8Array[],
  ): Promise<{ good: Uint8Array[]; bad: Uint8Array[] }> {
    const key = this.#keyOf(evse)
    const domain = this.#settings.domainOf(evse.lane)
    const position = new Uint8Array(8)
    writeU32(position, 0, evse.lat >>> 0)
    writeU32(position, 4, evse.lon >>> 0)
    const message = new Uint8Array(RECORD_MESSAGE_BYTES)
    const good: Uint8Array[] = []
    const bad: Uint8Array[] = []
    for (const [i, row] of rows.entries()) {
      if (i > 0 && i % SIGNATURES_A_SLICE === 0) await nextTurn()
      writeRecordMessage(message, { domain, record: row, recordAt: 0, position, positionAt: 0 })
      if (verifyP256(key, message, row.subarray(RECORD_BYTES))) good.push(row)
      else bad.push(row)
    }
    return { good, bad }
  }

  #keyOf(evse: EdgeEvse): KeyObject | undefined {
    const known = this.#keys.get(evse.name)
    // A slot may be registered anew, with another key.
    if (known !== undefined && Buffer.compare(known.bytes, evse.publicKey) === 0) return known.key
    const key = parseP256Key(evse.publicKey)
    this.#keys.set(evse.name, { bytes: Uint8Array.from(evse.publicKey), key })
    return key
  }
}

function readRows(payload: Uint8Array): Uint8Array[] | Fault {
  if (payload.length > MAX_RECORDS_BYTES) {
    return { code: 'PAYLOAD_TOO_LARGE', message: `${payload.length} bytes where ${MAX_RECORDS_BYTES} are allowed` }
  }
  if (payload[0] === BRACE) {
    const parsed = parsePayload(recordsSchema, payload, MAX_RECORDS_BYTES)
    if (!parsed.ok) return { code: 'BAD_PAYLOAD', message: parsed.why }
    return parsed.value.rows.map((row) => Buffer.from(row.slice(2), 'hex'))
  }
  const count = countRows(P256_LAYOUT, payload)
  if (count === undefined) {
    const message = `rows are 1 to ${MAX_REQUEST_RECORDS} times ${SIGNED_RECORD_BYTES} bytes, not ${payload.length}`
    return { code: 'BAD_PAYLOAD', message }
  }
  // Copied: the broker's buffer may hold the next message as well.
  return Array.from({ length: count }, (_, i) =>
    Uint8Array.from(payload.subarray(i * SIGNED_RECORD_BYTES, (i + 1) * SIGNED_RECORD_BYTES)),
  )
}

function recordOf(row: Uint8Array): Uint8Array {
  return row.subarray(0, RECORD_BYTES)
}
