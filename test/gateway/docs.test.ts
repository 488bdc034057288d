import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'smol-toml'
import { gatewayConfigSchema } from '../../gateway/config.ts'
import { contractsConfigSchema } from '../../l1/contracts.ts'
import { parseConfig } from '../../runtime/config.ts'
import { undocumentedKeys } from '../support/undocumentedKeys.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8')
const gatewayDoc = read('docs/gateway.md')
const docs = ['gateway', 'evse', 'mqtt', 'webhooks'].map((name) => read(`docs/${name}.md`)).join('\n')

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

test('every key of the configuration is in the documentation, with its default and what it means', () => {
  const doc = `${gatewayDoc}\n${read('docs/webhooks.md')}`
  const isMeant = (path: string): boolean => !path.startsWith('fleet.evses[].metering.')
  assert.deepEqual(undocumentedKeys(gatewayConfigSchema, doc, isMeant), [])
})

test('every example of a configuration is one', () => {
  const [smallest, ...more] = [...gatewayDoc.matchAll(/^```toml\n(.*?)^```$/gms)].map(([, text]) => text!)
  const contracts = Object.keys(contractsConfigSchema.shape).filter((name) => name !== 'deployedAtBlock')
  const addresses = contracts.map((name, i) => `${name} = "0x${(i + 1).toString(16).padStart(40, '0')}"\n`).join('')
  const base = smallest!.replace(/^rollup = "0x…"\n# … and the others\n/m, addresses)
  parseConfig(gatewayConfigSchema, parse(base), 'smallest')
  assert.ok(more.length >= 5)
  for (const example of more) parseConfig(gatewayConfigSchema, parse(`${base}\n${example}`), example)
})

test('every metric of the edge is named', () => {
  const names = [...globSync('{gateway,evse}/**/*.ts', { cwd: root })].flatMap((file) =>
    [...read(file).matchAll(/metrics\s*\.(?:counter|gauge|histogram)\(\{\s*name: '([a-z0-9_]+)'/g)].map(
      ([, name]) => name!,
    ),
  )
  assert.ok(names.length > 60, `${names.length} are found`)
  const missing = names.filter((name) => !docs.includes(name) && !docs.includes(`\`…${name.replace(/^[a-z]+/, '')}`))
  assert.deepEqual(missing, [])
})
