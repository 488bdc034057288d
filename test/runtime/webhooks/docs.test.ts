import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { configKeys } from '../../../cli/configHelp.ts'
import { sequencerConfigSchema } from '../../../sequencer/config.ts'
import { revertedDataSchema } from '../../../sequencer/webhooks/events.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const doc = readFileSync(`${root}docs/webhooks.md`, 'utf8')

function fieldsOf(schema: unknown): string[] {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) return fieldsOf(schema.unwrap())
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element)
  if (!(schema instanceof z.ZodObject)) return []
  return Object.entries(schema.shape).flatMap(([name, field]) => [name, ...fieldsOf(field)])
}

test('every field of every event is explained', () => {
  const missing = [revertedDataSchema].flatMap(fieldsOf).filter((name) => !doc.includes(`\`${name}\``))
  assert.deepEqual(missing, [])
})

test('every key is documented, with its default and what it means', () => {
  const rows = new Set(doc.split('\n'))
  const missing = configKeys(sequencerConfigSchema)
    .filter(({ path }) => path.startsWith('webhooks[]'))
    .map(({ path, fallback, isRequired, text }) => {
      const shown = fallback !== undefined ? `\`${JSON.stringify(fallback)}\`` : isRequired ? 'required' : 'none'
      return `| \`${path}\` | ${shown} | ${text} |`
    })
    .filter((row) => !rows.has(row))
  assert.deepEqual(missing, [])
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
