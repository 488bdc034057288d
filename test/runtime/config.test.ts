import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import { environmentName, loadConfig } from '../../runtime/config.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'

const directory = mkdtempSync(join(tmpdir(), 'backfeed-config-'))
after(() => rmSync(directory, { recursive: true }))

const schema = z.strictObject({
  lane: z.number().int().min(0),
  l1: z.strictObject({
    rpcUrl: z.url(),
    timeoutMs: z.number().int().positive().default(10_000),
    tags: z.array(z.string()).default([]),
  }),
  log: z.strictObject({ pretty: z.boolean().default(false) }).prefault({}),
})

function file(text: string): string {
  const path = join(directory, `${Math.random()}.toml`)
  writeFileSync(path, text)
  return path
}

test('file, defaults and environment are merged, environment last', () => {
  const path = file('lane = 3\n[l1]\nrpcUrl = "http://127.0.0.1:8545"\n')
  const config = loadConfig({
    path,
    schema,
    environment: {
      BACKFEED_L1_RPC_URL: 'http://127.0.0.1:9999',
      BACKFEED_L1_TIMEOUT_MS: '250',
      BACKFEED_L1_TAGS: '["a", "b"]',
      BACKFEED_LOG_PRETTY: 'true',
    },
  })
  assert.equal(config.lane, 3)
  assert.equal(config.l1.rpcUrl, 'http://127.0.0.1:9999')
  assert.equal(config.l1.timeoutMs, 250)
  assert.deepEqual(config.l1.tags, ['a', 'b'])
  assert.equal(config.log.pretty, true)
})

test('the result is frozen all the way down', () => {
  const config = loadConfig({ path: file('lane = 1\n[l1]\nrpcUrl = "http://127.0.0.1:1"'), schema, environment: {} })
  assert.throws(() => {
    ;(config.l1 as { timeoutMs: number }).timeoutMs = 1
  }, TypeError)
})

test('errors name the key and end a process with the usage code', () => {
  const cases: [text: string, environment: Record<string, string>, key: RegExp][] = [
    ['lane = -1\n[l1]\nrpcUrl = "http://127.0.0.1:1"', {}, /lane: /],
    ['lane = 1\n[l1]\nrpcUrl = "http://127.0.0.1:1"\ntimeOutMs = 5', {}, /l1\.timeOutMs: unknown key/],
    ['lane = 1\n[l1]\nrpcUrl = "nowhere"', {}, /l1\.rpcUrl: /],
    ['lane = 1', {}, /l1: /],
    ['lane = 1\n[l1]\nrpcUrl = "http://127.0.0.1:1"', { BACKFEED_L1_TIMEOUT_MS: 'soon' }, /l1\.timeoutMs: /],
    ['lane = ', {}, /not valid TOML/],
  ]
  for (const [text, environment, key] of cases) {
    assert.throws(
      () => loadConfig({ path: file(text), schema, environment }),
      (error) => error instanceof BackfeedError && error.exitCode === ExitCode.usage && key.test(error.message),
      text,
    )
  }
})

test('environment names follow the path', () => {
  assert.equal(environmentName(['l1', 'rpcUrl']), 'BACKFEED_L1_RPC_URL')
  assert.equal(environmentName(['maxQueue']), 'BACKFEED_MAX_QUEUE')
})
