import { P256_SIGNATURE_BYTES, RECORD_BYTES } from '../../protocol/limits.ts'
import { type DischargeRecord, encodeRecord, fieldOutOfRange, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { MAX_REQUEST_RECORDS } from '../../protocol/wire.ts'

export interface JsonFault {
  readonly code: 'BAD_JSON' | 'BAD_RECORD' | 'TOO_MANY_RECORDS'
  /** Names the place: `records[3].record.energyWh: …`. Never repeats what was sent. */
  readonly message: string
}

export type JsonRows = { readonly rows: Uint8Array; readonly count: number } | { readonly fault: JsonFault }

const FIELDS = ['evse', 'contract', 'start', 'intervals', 'energyWh', 'meterEndWh', 'socDrop', 'tempC'] as const

/**
 * `{records: [{record: "0x<48 hex>" | {evse, …}, signature: "0x<128 hex>"}]}` as rows. Checked by hand and not by a schema: this runs a
 * thousand times a request, and the first thing wrong is all that is said. Keys that are not known are refused, since a misspelt field would
 * otherwise look like a missing one.
 */
export function parseJsonRecords(text: string): JsonRows {
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
  const rows = new Uint8Array(records.length * SIGNED_RECORD_BYTES)
  for (let i = 0; i < records.length; i++) {
    const wrong = writeRow(rows, i * SIGNED_RECORD_BYTES, records[i])
    if (wrong !== undefined) return badRecord(`records[${i}]${wrong.at}`, wrong.why)
  }
  return { rows, count: records.length }
}

interface Wrong {
  readonly at: string
  readonly why: string
}

function writeRow(rows: Uint8Array<ArrayBuffer>, at: number, item: unknown): Wrong | undefined {
  if (!isObject(item)) return { at: '', why: 'expected an object' }
  for (const key in item) if (key !== 'record' && key !== 'signature') return { at: '', why: 'has an unknown key' }
  const { record, signature } = item
  if (typeof record === 'string') {
    if (!writeHex(rows, at, RECORD_BYTES, record)) return { at: '.record', why: 'expected 0x and 48 hex digits' }
  } else {
    const wrong = writeRecordObject(rows, at, record)
    if (wrong !== undefined) return wrong
  }
  if (typeof signature !== 'string' || !writeHex(rows, at + RECORD_BYTES, P256_SIGNATURE_BYTES, signature)) {
    return { at: '.signature', why: 'expected 0x and 128 hex digits, r ‖ s' }
  }
  return undefined
}

function writeRecordObject(rows: Uint8Array<ArrayBuffer>, at: number, record: unknown): Wrong | undefined {
  if (!isObject(record)) return { at: '.record', why: 'expected a hex string or an object' }
  for (const name of FIELDS) {
    if (typeof record[name] !== 'number') return { at: `.record.${name}`, why: 'expected a number' }
  }
  for (const key in record) {
    if (!(FIELDS as readonly string[]).includes(key)) return { at: '.record', why: 'has an unknown key' }
  }
  const fields = record as unknown as DischargeRecord
  const wrong = fieldOutOfRange(fields)
  if (wrong !== undefined) return { at: `.record.${wrong}`, why: 'not an integer that fits the field' }
  encodeRecord(fields, rows, at)
  return undefined
}

function writeHex(into: Uint8Array, at: number, bytes: number, text: string): boolean {
  if (text.length !== 2 + 2 * bytes || !text.startsWith('0x')) return false
  const decoded = Buffer.from(text.slice(2), 'hex') // stops at the first character that is no hex digit
  if (decoded.length !== bytes) return false
  into.set(decoded, at)
  return true
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function badRecord(at: string, why: string): JsonRows {
  return { fault: { code: 'BAD_RECORD', message: `${at}: ${why}` } }
}
