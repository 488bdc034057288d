import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { gatewayStatus, unhealthy } from '../../gateway/status.ts'
import { statusLines } from '../../gateway/statusView.ts'
import type { SourceStatus } from '../../gateway/sourceStatus.ts'

const source = (status: Partial<SourceStatus>): SourceStatus => ({
  name: 'ocpp',
  state: 'UP',
  figures: { stations: 1_234, messagesTaken: 5 },
  problems: [],
  ...status,
})

function statusOf(sources: readonly SourceStatus[], evses = 3) {
  return gatewayStatus({
    sources: sources.map((status) => ({
      status: () => status,
      describeEvse: (name) => ({ powerKw: name === 'e1' ? 7.25 : 0 }),
    })),
    entries: Array.from({ length: evses }, (_, slot) => ({ name: `e${slot}`, lane: 4, slot })),
    startedAtMs: 0,
    now: () => 3_720_000,
  })
}

const plain = (lines: readonly string[]): string => lines.map(stripVTControlCharacters).join('\n')

test('a table that can be read', () => {
  const problems = [
    { code: 'ERR_GEOFENCE', message: 'e1: it is far away', evse: 'e1' },
    { code: 'L1_UNREACHABLE', message: 'no answer' },
  ]
  const status = statusOf([source({}), source({ name: 'fleet', state: 'DEGRADED', figures: { evses: 3 }, problems })])
  assert.equal(
    plain(statusLines(status, { columns: 200 })),
    `backfeed gateway  NOT HEALTHY  up 1 h 2 min  1970-01-01T01:02:00.000Z

SOURCE  STATE
ocpp    UP        stations 1,234 · messages taken 5
fleet   DEGRADED  evses 3

EVSE  LANE/SLOT  POWER KW
e1    4/1        7.3       ERR_GEOFENCE
e0    4/0        0
e2    4/2        0

PROBLEM         SOURCE
ERR_GEOFENCE    fleet   e1: it is far away
L1_UNREACHABLE  fleet   no answer`,
  )
})

test('a fleet of thousands fits a screen, and nothing runs over the edge', () => {
  const problems = Array.from({ length: 4_000 }, (_, i) => ({
    code: 'TELEMETRY_STALE',
    message: `e${i}`,
    evse: `e${i}`,
  }))
  const lines = statusLines(statusOf([source({ problems })], 5_000), { columns: 60, rows: 30 })
  assert.ok(lines.length <= 30, `${lines.length} lines`)
  for (const line of lines) assert.ok(stripVTControlCharacters(line).length <= 60, line)
  assert.match(plain(lines), /TELEMETRY_STALE {2}ocpp {4}100 EVSEs: e0, e1, e2, e3, e4, …/)
  assert.match(plain(lines), /… and 4,?98\d more/)
})

test('one EVSE’s trouble does not make the gateway unhealthy; a source that is down does', () => {
  assert.deepEqual(unhealthy([source({ state: 'DEGRADED', problems: [{ code: 'A', message: '', evse: 'e' }] })]), [])
  assert.deepEqual(
    unhealthy([source({ state: 'DOWN' })]).map(({ code }) => code),
    ['SOURCE_DOWN'],
  )
  const down = source({ state: 'DOWN', problems: [{ code: 'BROKER_LOST', message: 'gone' }] })
  assert.deepEqual(unhealthy([down]), [{ code: 'BROKER_LOST', message: 'gone', source: 'ocpp' }])
})
