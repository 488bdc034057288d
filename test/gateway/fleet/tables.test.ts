import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { contractEntrySchema, evseEntrySchema, fleetConfigSchema } from '../../../gateway/fleet/config.ts'
import { readFleetTables } from '../../../gateway/fleet/tables.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'backfeed-tables-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

function tables(text: { evses?: string; contracts?: string }, inline: Record<string, unknown>[] = []) {
  const files: Record<string, string> = {}
  for (const [what, content] of Object.entries(text)) {
    files[`${what}File`] = `${what}.csv`
    writeFileSync(join(folder, `${what}.csv`), content)
  }
  return readFleetTables(fleetConfigSchema.parse({ ...files, evses: inline }), join(folder, 'gateway.toml'))
}

const refused = (message: RegExp) => (error: unknown) =>
  isBackfeedError(error, 'CONFIG_INVALID') && message.test(error.message)

test('a CSV fleet reads like the tables it stands for', () => {
  const lines = Array.from({ length: 1_500 }, (_, i) => `cp${i}-1,0,${i},CP${i},file,keys/${i}.pem,mqtt`)
  const found = tables(
    {
      evses: `name,lane,slot,station,signer.kind,signer.keyFile,telemetry\n${lines.join('\n')}\n`,
      contracts: 'lane,slot,tokens\n0,0,DE-ABC-1;04A2B3C4\n0,7,0012\n',
    },
    [{ name: 'smart', lane: 0, slot: 1_500 }],
  )
  assert.equal(found.evses.length, 1_501)
  assert.deepEqual(
    found.evses.find(({ name }) => name === 'cp42-1'),
    evseEntrySchema.parse({
      name: 'cp42-1',
      lane: 0,
      slot: 42,
      station: 'CP42',
      signer: { kind: 'file', keyFile: 'keys/42.pem' },
      telemetry: 'mqtt',
    }),
  )
  assert.deepEqual(found.contracts, [
    contractEntrySchema.parse({ lane: 0, slot: 0, tokens: ['DE-ABC-1', '04A2B3C4'] }),
    contractEntrySchema.parse({ lane: 0, slot: 7, tokens: ['0012'] }),
  ])
})

test('a mistake is named by file, line and column', () => {
  assert.throws(() => tables({ evses: 'name,lane,slot\na,0,0\nb,0,x\n' }), refused(/evses\.csv, line 3: slot/))
  assert.throws(() => tables({ evses: 'name,lane,slot,colour\na,0,0,red\n' }), refused(/line 2: colour: unknown key/))
  assert.throws(() => tables({ evses: 'name,lane,slot,signer.kind\na,0,0,file\n' }), refused(/signer\.keyFile/))
})

test('what cannot be told apart is refused', () => {
  const evse = (more: object): Record<string, unknown> => ({ name: 'a', lane: 0, slot: 0, ...more })
  assert.throws(() => tables({}, [evse({}), evse({ slot: 1 })]), refused(/evses\.name: a is there twice/))
  assert.throws(() => tables({}, [evse({}), evse({ name: 'b' })]), refused(/slot 0 of lane 0 is there twice/))
  const station = { station: 'CP', evseId: 2 }
  assert.throws(
    () => tables({}, [evse(station), evse({ name: 'b', slot: 1, ...station })]),
    refused(/EVSE 2 of station CP is there twice/),
  )
  assert.throws(
    () => tables({ contracts: 'lane,slot,tokens\n0,0,ab12\n0,1,AB12\n' }),
    refused(/token ab12 in lane 0 is there twice/),
  )
})

test('keys that only make sense together', () => {
  const issues = (more: object): string[] =>
    evseEntrySchema
      .safeParse({ name: 'a', lane: 0, slot: 0, ...more })
      .error?.issues.map(({ path }) => path.join('.')) ?? []
  assert.deepEqual(issues({ position: 'surveyed' }), ['lat', 'lon'])
  assert.deepEqual(issues({ lat: 1, lon: 2 }), ['lat', 'lon'])
  assert.deepEqual(issues({ position: 'surveyed', lat: 1, lon: 2 }), [])
  assert.deepEqual(issues({ signedValues: 'refuse' }), ['meterKey'])
  assert.deepEqual(issues({ telemetry: 'ocpp' }), ['station'])
})

test('an EVSE’s own metering says what it sets, and nothing of what it does not', () => {
  const [evse] = tables({}, [{ name: 'a', lane: 0, slot: 1, metering: { socSource: 'capacity' } }]).evses
  assert.deepEqual(evse?.metering, { socSource: 'capacity' })
})
