import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { z } from 'zod'
import {
  MAX_CONTROL_BYTES,
  MAX_ERROR_ROWS,
  MAX_RECEIPT_ANSWERS,
  MAX_RECEIPTS_BYTES,
  MAX_RECORDS_BYTES,
  MAX_TELEMETRY_BYTES,
  MAX_TEXT_CHARS,
} from '../../../evse/mqtt/limits.ts'
import {
  encodePayload,
  errorSchema,
  MESSAGE_FAULTS,
  parsePayload,
  receiptsSchema,
  recordsSchema,
  schemas,
  telemetrySchema,
} from '../../../evse/mqtt/payloads.ts'
import { DOWNLINKS, UPLINKS } from '../../../evse/mqtt/topics.ts'
import { MAX_RECEIPT_LEVELS } from '../../../protocol/receiptTree.ts'
import { fc } from '../../support/property.ts'
import { schemaFiles } from './schemaFiles.ts'

test('the schemas that are checked in are those that are checked by: node test/vectors/generate-mqtt-schemas.ts', () => {
  for (const { name, url, text } of schemaFiles()) {
    assert.deepEqual(JSON.parse(readFileSync(url, 'utf8')), JSON.parse(text), name)
  }
})

test('the documentation names every channel, schema, field and fault', () => {
  const text = readFileSync(new URL('../../../docs/mqtt.md', import.meta.url), 'utf8')
  for (const channel of [...UPLINKS, ...DOWNLINKS]) assert.ok(text.includes(`\`…/${channel}\``), channel)
  for (const fault of MESSAGE_FAULTS) assert.ok(text.includes(`\`${fault}\``), fault)
  for (const name of Object.keys(schemas)) {
    assert.ok(text.includes(`schemas/${name}.json`), name)
    const schema = JSON.parse(readFileSync(new URL(`../../../evse/mqtt/schemas/${name}.json`, import.meta.url), 'utf8'))
    const fields = (schema.oneOf ?? [schema]).flatMap((each: { properties: object }) => Object.keys(each.properties))
    for (const field of fields) assert.ok(text.includes(`\`${field}\``), `${name}: ${field}`)
  }
})

test('the largest of every payload is within its bound', () => {
  const hex = (bytes: number): string => `0x${'ab'.repeat(bytes)}`
  const receipt = {
    chainId: Number.MAX_SAFE_INTEGER,
    rollup: hex(20),
    lane: 0xffffffff,
    firstPosition: 0xffffffffffff,
    count: 65_536,
    time: 0xffffffff,
    root: hex(32),
    signature: hex(65),
    position: 0xffffffffffff,
    row: hex(88),
    path: Array(MAX_RECEIPT_LEVELS).fill(hex(32)),
  }
  const answer = {
    row: hex(88),
    result: 'UNKNOWN_CONTRACT',
    position: 0xffffffffffff,
    amountMicro: Number.MAX_SAFE_INTEGER,
    receipt,
  }
  const answers = encodePayload({ answers: Array(MAX_RECEIPT_ANSWERS).fill(answer) })
  assert.ok(parsePayload(receiptsSchema, answers, MAX_RECEIPTS_BYTES).ok)
  const rows = encodePayload({ rows: Array(1_024).fill(hex(88)) })
  assert.ok(parsePayload(recordsSchema, rows, MAX_RECORDS_BYTES).ok)
  const error = encodePayload({
    code: 'PAYLOAD_TOO_LARGE',
    message: '\u0000'.repeat(MAX_TEXT_CHARS),
    channel: 'commands/answers',
    of: hex(32),
    records: Array(MAX_ERROR_ROWS).fill(hex(24)),
    retryable: false,
  })
  assert.ok(parsePayload(errorSchema, error, MAX_CONTROL_BYTES).ok)
  const telemetry = encodePayload({
    atMs: 8.64e15,
    seq: 0xffffffff,
    powerW: -1234567.890123456,
    tempC: -12.345678901234567,
    gridVoltageV: 99999.12345678901,
    gridFrequencyHz: 999.1234567890123,
    plcSnrDb: -12.345678901234567,
    contactorClosed: false,
  })
  assert.ok(parsePayload(telemetrySchema, telemetry, MAX_TELEMETRY_BYTES).ok)
})

test('what is not of the schema is refused with the place, and never thrown', () => {
  const all: z.ZodType<unknown>[] = Object.values(schemas)
  const refused = (text: string): string => {
    const parsed = parsePayload(telemetrySchema, Buffer.from(text), MAX_TELEMETRY_BYTES)
    assert.ok(!parsed.ok, text)
    return parsed.why
  }
  assert.match(refused('{"atMs":1,"tempC":"hot"}'), /tempC/)
  assert.match(refused('{"atMs":1,"volts":1}'), /volts/)
  assert.match(refused('{"powerW":1}'), /atMs/)
  assert.match(refused('{'), /JSON/)
  assert.match(refused(`{"atMs":1}${' '.repeat(2_000)}`), /bytes/)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
      for (const schema of all) assert.equal(typeof parsePayload(schema, bytes, 1_000).ok, 'boolean')
    }),
  )
  fc.assert(
    fc.property(fc.json(), (text) => {
      for (const schema of all) {
        assert.equal(typeof parsePayload(schema, Buffer.from(text), 10_000).ok, 'boolean')
      }
    }),
  )
})
