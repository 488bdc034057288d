import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { proverConfigSchema } from '../../prover/config.ts'
import { loadConfig } from '../../runtime/config.ts'

const folder = mkdtempSync(join(tmpdir(), 'backfeed-config-'))
after(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'prover.toml')

const addresses = [
  'rollup',
  'registry',
  'tariff',
  'vault',
  'vehicle',
  'forcedQueue',
  'attesters',
  'court',
  'promises',
  'token',
]
const minimal = `
[contracts]
${addresses.map((name, i) => `${name} = "0x${String(i + 1).padStart(40, '0')}"`).join('\n')}
deployedAtBlock = 3
[prover]
dataDir = "/var/lib/backfeed"
`

test('a minimal file gives a watcher of all lanes on loopback that sends nothing', () => {
  writeFileSync(path, minimal)
  const config = loadConfig({ path, schema: proverConfigSchema, environment: {} })
  assert.equal(config.prover.keyFile, undefined)
  assert.equal(config.prover.lanes, undefined)
  assert.deepEqual(config.prover.follow, { kind: 'depth', blocks: 2 })
  assert.equal(config.http.host, '127.0.0.1')
  assert.deepEqual(config.l1.beacon, [])
})

test('beacons come as tables, the environment overrides, a misspelt key is refused', () => {
  writeFileSync(path, `${minimal}\n[[l1.beacon]]\nurl = "http://127.0.0.1:3500"\nblockId = "number"\n`)
  const environment = { BACKFEED_PROVER_KEY_FILE: '/run/key', BACKFEED_HTTP_PORT: '0' }
  const config = loadConfig({ path, schema: proverConfigSchema, environment })
  assert.equal(config.l1.beacon[0]?.blockId, 'number')
  assert.equal(config.prover.keyFile, '/run/key')
  assert.equal(config.http.port, 0)
  writeFileSync(path, minimal.replace('dataDir', 'datadir'))
  assert.throws(() => loadConfig({ path, schema: proverConfigSchema, environment: {} }), { code: 'CONFIG_INVALID' })
})
