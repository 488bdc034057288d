import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { sessionWebhooksSchema } from '../../../gateway/webhooks/config.ts'
import {
  recordRefusedSchema,
  recordsSettledSchema,
  sessionClosedSchema,
  sessionSettledSchema,
} from '../../../gateway/webhooks/events.ts'
import { parse } from 'smol-toml'
import { sequencerConfigSchema } from '../../../sequencer/config.ts'
import { batchDataSchema, revertedDataSchema } from '../../../sequencer/webhooks/events.ts'
import { undocumentedKeys } from '../../support/undocumentedKeys.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const doc = readFileSync(`${root}docs/webhooks.md`, 'utf8')

function fieldsOf(schema: unknown): string[] {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) return fieldsOf(schema.unwrap())
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element)
  if (!(schema instanceof z.ZodObject)) return []
  return Object.entries(schema.shape).flatMap(([name, field]) => [name, ...fieldsOf(field)])
}

test('every field of every event is explained', () => {
  const schemas = [
    revertedDataSchema,
    sessionClosedSchema,
    sessionSettledSchema,
    recordsSettledSchema,
    recordRefusedSchema,
  ]
  const missing = schemas.flatMap(fieldsOf).filter((name) => !doc.includes(`\`${name}\``))
  assert.deepEqual(missing, [])
})

test('the examples are what they are examples of', () => {
  const [toml] = [...doc.matchAll(/^```toml\n(.*?)^```$/gms)].map(([, text]) => parse(text!) as { webhooks: unknown })
  assert.equal(sessionWebhooksSchema.parse(toml!.webhooks).length, 1)
  const events = [...doc.matchAll(/^```json\n(.*?)^```$/gms)].map(
    ([, text]) => JSON.parse(text!) as Record<string, unknown>,
  )
  const schemas: Record<string, z.ZodType> = {
    'session.settled.v1': sessionSettledSchema,
    'batch.posted.v1': batchDataSchema,
  }
  for (const { type, data } of events) {
    const whole = JSON.parse(JSON.stringify(data).replaceAll(/"0x…"/g, `"0x${'ab'.repeat(32)}"`))
    schemas[type as string]!.parse(whole)
  }
  assert.equal(events.length, 2)
})

test('every key is documented, with its default and what it means', () => {
  assert.deepEqual(
    undocumentedKeys(sequencerConfigSchema, doc, (path) => path.startsWith('webhooks[]')),
    [],
  )
})

test('every code and every metric is explained', () => {
  const text = globSync('runtime/webhooks/*.ts', { cwd: root })
    .map((file) => readFileSync(`${root}${file}`, 'utf8'))
    .join('')
  const codes = [...text.matchAll(/'(WEBHOOK_[A-Z_]+)'/g)].map(([, code]) => code!)
  const metrics = [...text.matchAll(/name: '(webhook_[a-z_]+)'/g)].map(([, name]) => name!)
  assert.ok(codes.length >= 5 && metrics.length >= 6)
  assert.deepEqual(
    codes.filter((code) => !doc.includes(`| \`${code}\` |`)),
    [],
  )
  assert.deepEqual(
    metrics.filter((name) => !doc.includes(`\`${name}`)),
    [],
  )
})
