import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { gatewayConfigSchema } from '../../gateway/config.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8')
const gatewayDoc = read('docs/gateway.md')
const docs = ['gateway', 'evse', 'mqtt'].map((name) => read(`docs/${name}.md`)).join('\n')

/** Names in the source that look like codes and are none: states, words of standards, fields of messages. */
const NO_CODES = new Set([
  'ALERT_FLEX_ALERT',
  'ALERT_GRID_EMERGENCY',
  'CERT_HAS_EXPIRED',
  'DISPATCH_SETPOINT',
  'ENDED_LOCALLY',
  'ENDED_REMOTELY',
  'EXPORT_CAPACITY_LIMIT',
  'EXPORT_PRICE',
  'NOT_SET',
  'NO_DEMAND',
  'PAUSED_COLD',
  'PAUSED_STALE',
  'PAUSED_UNMEASURED',
  'POWER_FAILURE',
  'TARIFF_CHANGE',
])

test('every code of the edge is explained', () => {
  const used = new Set<string>()
  for (const file of globSync('{gateway,evse}/**/*.ts', { cwd: root })) {
    for (const [, code] of read(file).matchAll(/'([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)'/g)) used.add(code!)
    // Names of a table, such as the guard's flags.
    for (const [, code] of read(file).matchAll(/^ {2}([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+):/gm)) used.add(code!)
  }
  assert.ok(used.has('TELEMETRY_STALE') && used.has('ERR_AUTH_EXPIRED'), 'the codes are found')
  const missing = [...used].filter((code) => !NO_CODES.has(code) && !docs.includes(`\`${code}\``))
  assert.deepEqual(missing, [])
})

test('the codes that troubleshooting of such systems names are explained', () => {
  for (const code of [
    'ERR_AUTH_EXPIRED',
    'ERR_DATA_INCONSISTENCY',
    'THERMAL_LIMIT_REACHED',
    'NONCE_TOO_LOW',
    'PLC_LINK_DEGRADED',
  ]) {
    assert.match(gatewayDoc, new RegExp(`^\\| .*\`${code}\`.* \\| .+ \\| .+ \\|$`, 'm'), code)
  }
})

test('every key of the configuration is in the documentation', () => {
  const missing = keysOf(gatewayConfigSchema, []).filter((key) => !gatewayDoc.includes(`| \`${key}\` |`))
  assert.deepEqual(missing, [])
})

function keysOf(schema: z.ZodObject, path: readonly string[]): string[] {
  return Object.entries(schema.shape).flatMap(([key, field]) => {
    const inner = unwrapped(field)
    const here = [...path, key]
    if (inner instanceof z.ZodObject) return keysOf(inner, here)
    const element = inner instanceof z.ZodArray ? unwrapped(inner.element) : undefined
    if (element instanceof z.ZodObject) return keysOf(element, [...path, `${key}[]`])
    if (!(inner instanceof z.ZodDiscriminatedUnion)) return [here.join('.')]
    return inner.options.flatMap((option) => keysOf(option as z.ZodObject, here))
  })
}

function unwrapped(field: unknown): unknown {
  let inner = field
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    inner = inner.def.innerType
  }
  return inner
}
