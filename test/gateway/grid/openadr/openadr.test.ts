import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  startVtnServer,
  type VtnScript,
  type VtnServer,
  type VtnServerSettings,
} from '../../../support/grid/vtnServer.ts'
import { gridMetrics } from '../../../../gateway/grid/gridMetrics.ts'
import { asksForDischarge } from '../../../../gateway/grid/model/gridEvent.ts'
import type { GridSource } from '../../../../gateway/grid/model/gridSource.ts'
import { nanoFloor } from '../../../../gateway/grid/model/price.ts'
import { openadrConfigSchema } from '../../../../gateway/grid/openadr/config.ts'
import { parseDuration, parseInstant } from '../../../../gateway/grid/openadr/duration.ts'
import { eventSchema, programSchema } from '../../../../gateway/grid/openadr/schema.ts'
import { openOpenadr } from '../../../../gateway/grid/openadr/source.ts'
import { timelineOf } from '../../../../gateway/grid/openadr/timeline.ts'
import { vtnPicture } from '../../../../gateway/grid/openadr/vtnPicture.ts'
import { silentLogger } from '../../../../runtime/log.ts'
import { createMetrics } from '../../../../runtime/metrics.ts'
import { fc } from '../../../support/property.ts'
import { askAgain, until } from '../support/waiting.ts'

const NOON = Date.UTC(2026, 6, 1, 12) / 1000
const WINDOW = { start: NOON - 86_400, end: NOON + 8 * 86_400 }
const iso = (seconds: number): string => new Date(seconds * 1000).toISOString()
const DESCRIPTOR = {
  objectType: 'EVENT_PAYLOAD_DESCRIPTOR',
  payloadType: 'EXPORT_PRICE',
  units: 'KWH',
  currency: 'USD',
}
const PROGRAM = { id: 'p1', objectType: 'PROGRAM', programName: 'V2G', payloadDescriptors: [DESCRIPTOR] }

function priceEvent(id: string, start: number, prices: readonly unknown[], over: object = {}): Record<string, unknown> {
  return {
    id,
    objectType: 'EVENT',
    programID: 'p1',
    intervalPeriod: { start: iso(start), duration: 'PT1H' },
    intervals: prices.map((value, i) => ({ id: i, payloads: [{ type: 'EXPORT_PRICE', values: [value] }] })),
    ...over,
  }
}

function read(events: readonly Record<string, unknown>[], config: object = {}, program: object = PROGRAM) {
  const rules = openadrConfigSchema.parse({ name: 'vtn', url: 'http://127.0.0.1:1', ...config })
  const objects = { programs: [programSchema.parse(program)], events: events.map((found) => eventSchema.parse(found)) }
  const { picture, problems } = vtnPicture(objects, rules, { nowSeconds: NOON, window: WINDOW })
  const prices = picture.prices.map(({ start, end, attoPerWh }) => [start - NOON, end - NOON, nanoFloor(attoPerWh)])
  return { picture, prices, codes: problems.map(({ code }) => code) }
}

test('prices: consecutive intervals, exact, negative as none, in the right unit and currency alone', () => {
  const { prices, codes } = read([priceEvent('a', NOON, [0.03331, -0.02, '0.1'])])
  assert.deepEqual(prices, [
    [0, 3_600, 33_310],
    [3_600, 7_200, 0],
    [7_200, 10_800, 100_000],
  ])
  assert.deepEqual(codes, [])
  const withDescriptor = (over: object) =>
    read([priceEvent('a', NOON, [50])], {}, { ...PROGRAM, payloadDescriptors: [{ ...DESCRIPTOR, ...over }] })
  assert.deepEqual(withDescriptor({ units: 'MWH' }).prices, [[0, 3_600, 50_000]])
  assert.deepEqual(withDescriptor({ units: 'THERM' }).codes, ['PRICE_UNIT_UNKNOWN'])
  assert.deepEqual(withDescriptor({ units: undefined }).prices, [])
  assert.deepEqual(withDescriptor({ currency: 'EUR' }).codes, ['PRICE_CURRENCY_MISMATCH'])
  assert.deepEqual(read([priceEvent('a', NOON, [true, null, 'x'])]).codes, ['EVENT_REFUSED'])
  // The event's own descriptor comes before its program's.
  const own = { payloadDescriptors: [{ ...DESCRIPTOR, units: 'MWH' }] }
  assert.deepEqual(read([priceEvent('a', NOON, [50], own)]).prices, [[0, 3_600, 50_000]])
})

test('of prices that overlap: type, then priority, then the newest', () => {
  const older = priceEvent('a', NOON, [0.1, 0.1], { priority: 1, modificationDateTime: iso(NOON - 100) })
  const newer = priceEvent('b', NOON + 3_600, [0.2], { priority: 1, modificationDateTime: iso(NOON - 50) })
  const weak = priceEvent('c', NOON, [0.3, 0.3, 0.3])
  const expected = [
    [0, 3_600, 100_000],
    [3_600, 7_200, 200_000],
    [7_200, 10_800, 300_000],
  ]
  for (const order of [
    [older, newer, weak],
    [weak, newer, older],
  ])
    assert.deepEqual(read(order).prices, expected)
})

test('programs and targets that are not ours are passed over', () => {
  const event = priceEvent('a', NOON, [1], { targets: ['north'] })
  assert.equal(read([event], { targets: ['south'] }).prices.length, 0)
  assert.equal(read([event], { targets: ['north', 'south'] }).prices.length, 1)
  assert.equal(
    read([{ ...event, targets: [{ type: 'GROUP', values: ['south'] }] }], { targets: ['south'] }).prices.length,
    1,
  )
  assert.equal(read([event]).prices.length, 1)
  assert.equal(read([event], { programs: ['other'] }).prices.length, 0)
  assert.equal(read([event], { programs: ['V2G'] }).prices.length, 1)
})

test('events for control: stress, limits and set-points', () => {
  const power = (payloadType: string) => ({ payloadType, units: 'KW' })
  const descriptors = [power('DISPATCH_SETPOINT'), power('EXPORT_CAPACITY_LIMIT')]
  const event = (type: string, value: unknown) =>
    priceEvent('a', NOON, [], {
      payloadDescriptors: descriptors,
      intervals: [{ id: 0, payloads: [{ type, values: [value] }] }],
    })
  const controls = (type: string, value: unknown, config: object = {}) =>
    read([event(type, value)], config).picture.events.flatMap((found) => found.controls)
  const [stress] = controls('SIMPLE', 2)
  assert.equal(stress?.kind, 'gate')
  assert.equal(asksForDischarge(stress!), true)
  assert.equal(asksForDischarge(controls('SIMPLE', 0)[0]!), false)
  assert.equal(asksForDischarge(controls('ALERT_GRID_EMERGENCY', 'now')[0]!), true)
  assert.deepEqual(controls('DISPATCH_SETPOINT', -5), [], 'nobody says what its sign means')
  assert.equal(controls('DISPATCH_SETPOINT', -5, { setpointSign: 'import-positive' })[0]?.value, 5_000)
  assert.equal(controls('DISPATCH_SETPOINT', -5, { setpointSign: 'export-positive' })[0]?.value, -5_000)
  const [limit] = controls('EXPORT_CAPACITY_LIMIT', 1.5)
  assert.deepEqual([limit?.kind, limit?.value], ['exportLimitW', 1_500])
  assert.equal(asksForDischarge(limit!), false)
})

test('random starts stay in the event and are the same at every look', () => {
  const intervals = [{ id: 0, payloads: [{ type: 'SIMPLE', values: [1] }] }]
  const event = { ...priceEvent('a', NOON, []), intervals }
  const period = { start: iso(NOON), duration: 'PT1H', randomizeStart: 'PT10M' }
  const starts = Array.from({ length: 50 }, (_, i) => {
    const found = read([{ ...event, id: `e${i}`, intervalPeriod: period }]).picture.events[0]!.controls[0]!
    assert.equal(found.nominal.start, NOON)
    assert.ok(
      found.effective.start >= NOON && found.effective.start <= NOON + 600 && found.effective.end === NOON + 3_600,
    )
    return found.effective.start
  })
  assert.ok(new Set(starts).size > 20)
})

test('repeated events are laid out where they are looked at, and no further', () => {
  const event = eventSchema.parse(priceEvent('a', NOON - 30 * 86_400, [1, 2], { duration: 'P9999Y' }))
  const timeline = timelineOf(event, undefined, { start: NOON - 600, end: NOON + 7_500 })
  assert.ok(typeof timeline !== 'string')
  assert.deepEqual(
    timeline.intervals.map(({ start, interval }) => [(start - NOON) / 3_600, interval.id]),
    [
      [-1, 1],
      [0, 0],
      [1, 1],
      [2, 0],
    ],
  )
  const bounded = eventSchema.parse(priceEvent('a', NOON, [1, 2], { duration: 'PT3H' }))
  const three = timelineOf(bounded, undefined, WINDOW)
  assert.ok(typeof three !== 'string' && three.intervals.length === 3)
})

test('durations and instants', () => {
  assert.equal(parseDuration('PT15M'), 900)
  assert.equal(parseDuration('P1DT2H3M4S'), 93_784)
  assert.equal(parseDuration('P2W'), 1_209_600)
  assert.equal(parseDuration('P9999Y'), Number.POSITIVE_INFINITY)
  for (const bad of ['', 'P', 'PT', 'P1DT', 'P1Y', 'P1M', '1H', 'PT1H30', '-PT1H'])
    assert.equal(parseDuration(bad), undefined, bad)
  assert.equal(parseInstant('2026-07-01T12:00:00+02:00'), NOON - 7_200)
  assert.equal(parseInstant('2026-07-01T12:00:00'), undefined, 'whose local time?')
  assert.equal(parseInstant('2026-13-01T12:00:00Z'), undefined)
})

test('any objects of a VTN give a picture: prices in order, not overlapping', () => {
  const value = fc.oneof(fc.double(), fc.string(), fc.constant(null), fc.boolean())
  const period = fc.record(
    {
      start: fc.oneof(
        fc.integer({ min: NOON - 99_999, max: NOON + 99_999 }).map(iso),
        fc.string(),
        fc.constant('0001-01-01'),
      ),
      duration: fc.oneof(fc.constantFrom('PT1H', 'PT15M', 'P1D', 'PT0S', 'P9999Y'), fc.string()),
      randomizeStart: fc.constantFrom('PT5M', 'P9999Y', 'x'),
    },
    { requiredKeys: [] },
  )
  const type = fc.constantFrom('EXPORT_PRICE', 'PRICE', 'SIMPLE', 'DISPATCH_SETPOINT', 'EXPORT_CAPACITY_LIMIT', 'GHG')
  const interval = fc.record({
    id: fc.nat(),
    intervalPeriod: fc.option(period),
    payloads: fc.array(fc.record({ type, values: fc.array(value, { maxLength: 2 }) }), { maxLength: 3 }),
  })
  const event = fc.record({
    id: fc.uuid(),
    programID: fc.constant('p1'),
    priority: fc.option(fc.nat()),
    intervalPeriod: fc.option(period),
    duration: fc.option(fc.constantFrom('P9999Y', 'PT3H', 'x')),
    createdDateTime: fc.option(fc.constant(iso(NOON))),
    intervals: fc.array(interval, { maxLength: 4 }),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 5 }), (events) => {
      const { picture } = read(events, { priceTypes: ['EXPORT_PRICE', 'PRICE'], setpointSign: 'export-positive' })
      picture.prices.forEach(({ start, end }, i) => {
        assert.ok(start < end && start >= (picture.prices[i - 1]?.end ?? Number.NEGATIVE_INFINITY))
      })
    }),
  )
})

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backfeed-vtn-'))
  await writeFile(join(folder, 'secret'), 'open sesame\n', { mode: 0o600 })
})
after(() => rm(folder, { recursive: true, force: true }))

async function withVtn(
  script: VtnScript,
  options: { server?: Partial<VtnServerSettings>; auth?: object },
  body: (source: GridSource, server: VtnServer) => Promise<void>,
): Promise<void> {
  await using server = await startVtnServer({ script, client: { id: 'ven', secret: 'open sesame' }, ...options.server })
  const auth = { clientId: 'ven', clientSecretFile: join(folder, 'secret'), ...options.auth }
  const config = openadrConfigSchema.parse({ name: 'vtn', url: server.url, auth, pollSeconds: 1 })
  const metrics = gridMetrics(createMetrics({ service: 'test', process: false }))
  const source = openOpenadr(config, { log: silentLogger(), metrics, now: () => NOON * 1000 })
  await source.start?.({ signal: new AbortController().signal, fail: (error) => assert.fail(String(error)) })
  try {
    await body(source, server)
  } finally {
    await source.stop?.()
  }
}

test('a VTN, asked with a token: pages, an event that is taken back, a token that is forgotten', async () => {
  const events = Array.from({ length: 120 }, (_, i) => priceEvent(`e${i}`, NOON + i * 3_600, [0.5]))
  const script: VtnScript = { programs: [PROGRAM], events }
  await withVtn(script, {}, async (source, server) => {
    await until('the prices', () => source.picture().prices.length === 120)
    const pages = server.requests.filter((request) => request.startsWith('GET /events'))
    assert.equal(pages.length, 3)
    script.events = [...events.slice(0, 50), { id: 'broken', programID: 7 }]
    server.forgetTokens()
    await askAgain(source)
    assert.equal(source.picture().prices.length, 50)
    assert.equal(source.status().problems[0]?.code, 'EVENT_REFUSED')
    assert.equal(source.status().state, 'DEGRADED')
  })
  await withVtn(script, { auth: { method: 'basic' } }, async (source) => {
    await until('the prices', () => source.picture().prices.length === 50)
  })
})

test('a VTN that does not let us in, and a secret that others may read', async () => {
  const script = { programs: [], events: [] }
  const problemOf = (source: GridSource): string | undefined => source.status().problems[0]?.code
  await withVtn(script, { auth: { clientId: 'stranger' } }, async (source) => {
    await until('the refusal', () => problemOf(source) === 'GRID_LOGIN_REFUSED')
    assert.equal(source.status().state, 'DOWN')
  })
  const readable = join(folder, 'readable')
  await writeFile(readable, 'open sesame')
  await chmod(readable, 0o644)
  await withVtn(script, { auth: { clientSecretFile: readable } }, async (source, server) => {
    await until('the refusal', () => problemOf(source) === 'ERR_AUTH_EXPIRED')
    assert.equal(server.requests.length, 0)
  })
})
