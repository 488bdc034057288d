import { BLS_SIGNATURE_BYTES, P256_SIGNATURE_BYTES, RECORD_BYTES } from '../../protocol/limits.ts'
import { type DischargeRecord, fieldOutOfRange, fieldsFit, writeFields } from '../../protocol/record.ts'
import { Scheme, type SchemeLayout } from '../../protocol/scheme.ts'
import { MAX_REQUEST_RECORDS } from '../../protocol/wire.ts'
import { COMPRESSED_FLAG, COMPRESSED_SIGNATURE_BYTES, FLAG_BITS } from '../compressedSignature.ts'

export interface JsonFault {
  readonly code: 'BAD_JSON' | 'BAD_RECORD' | 'TOO_MANY_RECORDS'
  /** Names the place: `records[3].record.energyWh: …`. Never repeats what was sent. */
  readonly message: string
}

export type JsonRows = { readonly rows: Uint8Array; readonly count: number } | { readonly fault: JsonFault }

const FIELDS = ['evse', 'contract', 'start', 'intervals', 'energyWh', 'meterEndWh', 'socDrop', 'tempC'] as const

/**
 * `{records: [{record: "0x<48 hex>" | {evse, …}, signature: "0x<128 hex>"}]}` as rows of the lane; a BLS signature has 192 digits, or 384. Checked by hand and not by a schema: this runs a
 * thousand times a request, and the first thing wrong is all that is said. Keys that are not known are refused, since a misspelt field would
 * otherwise look like a missing one.
 */
export function parseJsonRecords(text: string, layout: SchemeLayout): JsonRows {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return { fault: { code: 'BAD_JSON', message: 'the body is not valid JSON' } }
  }
  const records = isObject(body) ? body.records : undefined
  if (!Array.isArray(records)) return badRecord('body', 'expected an object with an array `records`')
  if (records.length === 0) return badRecord('records', 'empty')
  if (records.length > MAX_REQUEST_RECORDS) {
    return { fault: { code: 'TOO_MANY_RECORDS', message: `a request holds at most ${MAX_REQUEST_RECORDS} records` } }
  }
  const rows = new Uint8Array(records.length * layout.rowBytes)
  const hex = Buffer.from(rows.buffer)
  for (let i = 0; i < records.length; i++) {
    const wrong = writeRow({ rows, hex, at: i * layout.rowBytes, scheme: layout.scheme }, records[i])
    if (wrong !== undefined) return badRecord(`records[${i}]${wrong.at}`, wrong.why)
  }
  return { rows, count: records.length }
}

interface Wrong {
  readonly at: string
  readonly why: string
}

interface Row {
  readonly rows: Uint8Array
  /** The same memory, as what can write hex. */
  readonly hex: Buffer
  readonly at: number
  readonly scheme: Scheme
}

function writeRow({ rows, hex, at, scheme }: Row, item: unknown): Wrong | undefined {
  if (!isObject(item)) return { at: '', why: 'expected an object' }
  for (const key in item) if (key !== 'record' && key !== 'signature') return { at: '', why: 'has an unknown key' }
  const { record, signature } = item
  if (typeof record === 'string') {
    if (!writeHex(hex, at, RECORD_BYTES, record)) return { at: '.record', why: 'expected 0x and 48 hex digits' }
  } else {
    const wrong = writeRecordObject(rows, at, record)
    if (wrong !== undefined) return wrong
  }
  const write = scheme === Scheme.BLS ? writeBlsSignature : writeP256Signature
  const why = typeof signature === 'string' ? write(hex, at + RECORD_BYTES, signature) : 'expected a string'
  return why === undefined ? undefined : { at: '.signature', why }
}

function writeP256Signature(rows: Buffer, at: number, text: string): string | undefined {
  return writeHex(rows, at, P256_SIGNATURE_BYTES, text) ? undefined : 'expected 0x and 128 hex digits, r ‖ s'
}

/** Whether the point is one, the verifier says: finding out here would hold this thread. */
function writeBlsSignature(rows: Buffer, at: number, text: string): string | undefined {
  if (writeHex(rows, at, COMPRESSED_SIGNATURE_BYTES, text)) {
    return (rows[at]! & COMPRESSED_FLAG) !== 0 ? undefined : '96 bytes without the flag of a compressed point'
  }
  if (!writeHex(rows, at, BLS_SIGNATURE_BYTES, text)) {
    return 'expected 0x and 192 hex digits, compressed, or 384, uncompressed'
  }
  return (rows[at]! & FLAG_BITS) === 0 ? undefined : '192 bytes with flags that no uncompressed point has'
}

function writeRecordObject(rows: Uint8Array, at: number, record: unknown): Wrong | undefined {
  if (!isObject(record)) return { at: '.record', why: 'expected a hex string or an object' }
  const fields = record as unknown as DischargeRecord
  // All eight are numbers that fit, and there are no more than eight: only then nothing else needs to be asked.
  let keys = 0
  for (const _ in record) keys++
  if (keys !== FIELDS.length || !fieldsFit(fields)) {
    const wrong = wrongField(record)
    if (wrong !== undefined) return wrong
  }
  writeFields(fields, rows, at)
  return undefined
}

function wrongField(record: Record<string, unknown>): Wrong | undefined {
  for (const name of FIELDS) {
    if (typeof record[name] !== 'number') return { at: `.record.${name}`, why: 'expected a number' }
  }
  for (const key in record) {
    if (!(FIELDS as readonly string[]).includes(key)) return { at: '.record', why: 'has an unknown key' }
  }
  const wrong = fieldOutOfRange(record as unknown as DischargeRecord)
  return wrong === undefined ? undefined : { at: `.record.${wrong}`, why: 'not an integer that fits the field' }
}

/** What it leaves of hex that is none is overwritten by nothing: such a request is refused as a whole. */
function writeHex(into: Buffer, at: number, bytes: number, text: string): boolean {
  if (text.length !== 2 + 2 * bytes || !text.startsWith('0x')) return false
  return into.write(text.slice(2), at, bytes, 'hex') === bytes // stops at the first character that is no hex digit
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function badRecord(at: string, why: string): JsonRows {
  return { fault: { code: 'BAD_RECORD', message: `${at}: ${why}` } }
}
