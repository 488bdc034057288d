import assert from 'node:assert/strict'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readPriceFile } from '../../../../devnet/replay/priceFile.ts'
import { feedConfigSchema } from '../../../../gateway/grid/feed/config.ts'
import { type FeedFormat, readFeedPrices } from '../../../../gateway/grid/feed/feedPrices.ts'
import { parseFeedTime } from '../../../../gateway/grid/feed/feedTime.ts'
import { openPriceFeed } from '../../../../gateway/grid/feed/priceFeed.ts'
import { TimeZone } from '../../../../gateway/grid/feed/zonedTime.ts'
import { gridMetrics } from '../../../../gateway/grid/gridMetrics.ts'
import { periodPrice } from '../../../../gateway/grid/model/periodPrices.ts'
import { nanoFloor } from '../../../../gateway/grid/model/price.ts'
import { isBackfeedError } from '../../../../runtime/errors.ts'
import { silentLogger } from '../../../../runtime/log.ts'
import { createMetrics } from '../../../../runtime/metrics.ts'
import { fc } from '../../../support/property.ts'
import { REAL_PRICES, sharedData, skipWithout } from '../../../support/sharedData.ts'
import { askAgain, until } from '../support/waiting.ts'

const format = (over: Partial<FeedFormat> = {}): FeedFormat => ({
  timeColumn: 't',
  priceColumn: 'p',
  timeFormat: 'mdy',
  unit: 'kWh',
  stamp: 'ending',
  intervalSeconds: 3_600,
  zone: new TimeZone('America/Los_Angeles'),
  ...over,
})
const csv = (rows: readonly (readonly [string, string])[]): string =>
  `t,p\n${rows.map((row) => row.join(',')).join('\n')}\n`
const utc = (...parts: [number, number, number, number]): number =>
  Date.UTC(parts[0], parts[1] - 1, parts[2], parts[3]) / 1000
const startsAndNano = (text: string, over: Partial<FeedFormat> = {}) => {
  const { intervals, flaws } = readFeedPrices(text, format(over), 'test')
  return { found: intervals.map(({ start, attoPerWh }) => [start, nanoFloor(attoPerWh)]), flaws }
}

test('the day of 25 hours: two rows of one stamp are two hours, in the order of the file', () => {
  // 1 November 2026: the clock goes back from 2:00 to 1:00.
  const rows = [
    ['11/1/2026 1:00', '0.01'],
    ['11/1/2026 2:00', '0.02'],
    ['11/1/2026 2:00', '0.03'],
    ['11/1/2026 3:00', '0.04'],
  ] as const
  const { found, flaws } = startsAndNano(csv(rows))
  assert.deepEqual(found, [
    [utc(2026, 11, 1, 7), 10_000],
    [utc(2026, 11, 1, 8), 20_000],
    [utc(2026, 11, 1, 9), 30_000],
    [utc(2026, 11, 1, 10), 40_000],
  ])
  assert.equal(flaws.count, 0)
  // A file that has the hour once could mean either.
  const once = startsAndNano(csv(rows.filter((_, i) => i !== 2)))
  assert.deepEqual(
    once.found.map(([start]) => start),
    [utc(2026, 11, 1, 7), utc(2026, 11, 1, 10)],
  )
  assert.match(once.flaws.first ?? '', /shows this time 2 times, the feed 1/)
})

test('the day of 23 hours: what the clock skips is refused', () => {
  // 8 March 2026: from 2:00 to 3:00.
  const { found, flaws } = startsAndNano(
    csv([
      ['3/8/2026 2:00', '0.01'],
      ['3/8/2026 3:00', '0.02'],
      ['3/8/2026 4:00', '0.03'],
    ]),
  )
  assert.deepEqual(found, [
    [utc(2026, 3, 8, 9), 10_000],
    [utc(2026, 3, 8, 10), 30_000],
  ])
  assert.match(flaws.first ?? '', /the clock skips/)
})

test('times, units and stamps', () => {
  assert.deepEqual(parseFeedTime('2026-07-01T17:00:00-07:00', 'iso'), { kind: 'instant', seconds: utc(2026, 7, 2, 0) })
  assert.deepEqual(parseFeedTime('2026-07-01 24:00', 'iso'), { kind: 'wall', wall: utc(2026, 7, 2, 0) })
  assert.deepEqual(parseFeedTime('1/7/2026 17:30', 'dmy'), { kind: 'wall', wall: utc(2026, 7, 1, 17) + 1_800 })
  assert.deepEqual(parseFeedTime('1790000000', 'epoch'), { kind: 'instant', seconds: 1_790_000_000 })
  for (const bad of ['2026-02-30T00:00Z', '2026-01-01T25:00Z', '2026-01-01T24:01Z', '1/1/2026', '']) {
    assert.equal(parseFeedTime(bad, bad.includes('/') ? 'mdy' : 'iso'), undefined, bad)
  }
  const row = (value: string): string => csv([['2026-07-01T00:00Z', value]])
  const one = (value: string, over: Partial<FeedFormat>) =>
    startsAndNano(row(value), { timeFormat: 'iso', stamp: 'beginning', ...over }).found[0]?.[1]
  assert.equal(one('33.310009', { unit: 'MWh' }), 33_310)
  assert.equal(one('0.0000333', { unit: 'Wh' }), 33_300)
  assert.equal(one('-0.01', {}), 0)
  assert.equal(one('0.0000009', {}), 0)
  assert.equal(one('67.108863', {}), 67_108_863)
  assert.equal(one('67.108864', {}), undefined, 'no room in the protocol')
})

test('rows that cannot be read give no price and are counted', () => {
  const { found, flaws } = startsAndNano(
    csv([
      ['2026-07-01T00:00Z', '1'],
      ['soon', '1'],
      ['2026-07-01T01:00Z', 'much'],
      ['2026-07-01T02:00Z', '1'],
      ['2026-07-01T02:00Z', '2'],
      ['2026-07-01T03:00Z', '3'],
      ['2026-07-01T03:00Z', '3'],
      ['2026-07-01T05:00Z', '1'],
      ['2026-07-01T05:30Z', '1'],
    ]),
    { timeFormat: 'iso', stamp: 'beginning' },
  )
  assert.deepEqual(
    found.map(([start]) => (start! - utc(2026, 7, 1, 0)) / 3_600),
    [0, 3],
  )
  assert.equal(flaws.count, 5)
  assert.throws(
    () => startsAndNano('time,price\n1,2\n'),
    (error) => isBackfeedError(error, 'CSV_UNREADABLE'),
  )
})

test('wall clock and instants agree, in every zone and hour', () => {
  const zones = [
    'UTC',
    'America/Los_Angeles',
    'Europe/Berlin',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
    'Etc/GMT+8',
  ].map((name) => new TimeZone(name))
  fc.assert(
    fc.property(fc.constantFrom(...zones), fc.integer({ min: 1_577_836_800, max: 1_893_456_000 }), (zone, instant) => {
      const wall = instant + zone.offsetSeconds(instant)
      const found = zone.instants(wall)
      assert.ok(found.includes(instant))
      assert.ok(found.length <= 2)
      for (const other of found) assert.equal(other + zone.offsetSeconds(other), wall)
    }),
  )
})

test('a real year of prices: the same periods and prices as the replay reads', {
  skip: skipWithout(REAL_PRICES),
}, async () => {
  const path = sharedData(REAL_PRICES)
  const columns = { timeColumn: 'Datetime (he)', priceColumn: 'DA Price ($/kWh)', zone: new TimeZone('UTC') }
  const { intervals, flaws, rows } = readFeedPrices(await readFile(path, 'utf8'), format(columns), path)
  assert.equal(flaws.count, 0)
  assert.equal(rows, 8_784)
  const replay = readPriceFile(path)
  const byStart = new Map(intervals.map((interval) => [interval.start, interval]))
  for (const [period, nano] of replay.nanoByPeriod) {
    const interval = byStart.get(Math.floor((period * 900) / 3_600) * 3_600)
    const found = periodPrice(interval === undefined ? [] : [interval], period)
    assert.equal(found === undefined ? undefined : nanoFloor(found.attoPerWh), nano)
  }
})

test('a file that is replaced and a URL that is asked with its tag', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'backfeed-feed-'))
  const path = join(folder, 'prices.csv')
  const nowSeconds = utc(2026, 7, 1, 0)
  const deps = () => ({
    log: silentLogger(),
    metrics: gridMetrics(createMetrics({ service: 'test', process: false })),
    now: () => nowSeconds * 1000,
  })
  const common = { name: 'market', timeColumn: 't', priceColumn: 'p', stamp: 'beginning', pollSeconds: 1 }
  try {
    const feed = openPriceFeed(feedConfigSchema.parse({ ...common, file: path }), deps())
    feed.start?.({ signal: new AbortController().signal, fail: (error) => assert.fail(String(error)) })
    await until('the missing file', () => feed.status().problems[0]?.code === 'PRICE_FEED_UNREADABLE')
    assert.equal(feed.picture().isKnown, false)
    await writeFile(
      `${path}.new`,
      csv([
        ['2026-07-01T00:00Z', '0.05'],
        ['2036-07-01T00:00Z', '0.05'],
      ]),
    )
    await rename(`${path}.new`, path)
    await askAgain(feed)
    assert.equal(feed.picture().prices.length, 1, 'and not what lies years ahead')
    assert.equal(feed.status().state, 'UP')
    await writeFile(path, 'nothing,of,use\n')
    feed.poke()
    await until('the unreadable file', () => feed.status().problems[0]?.code === 'CSV_UNREADABLE')
    assert.equal(feed.picture().prices.length, 1, 'what was known stands')
    await feed.stop?.()

    const tags: (string | undefined)[] = []
    const server = createServer((request, response) => {
      tags.push(request.headers['if-none-match'])
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end()
      else response.writeHead(200, { etag: '"1"' }).end(csv([['2026-07-01T00:00Z', '0.05']]))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prices.csv`
    const web = openPriceFeed(feedConfigSchema.parse({ ...common, url }), deps())
    web.start?.({ signal: new AbortController().signal, fail: (error) => assert.fail(String(error)) })
    await until('the prices', () => web.picture().prices.length === 1)
    await askAgain(web)
    assert.deepEqual(tags.slice(0, 2), [undefined, '"1"'])
    assert.equal(web.picture().prices.length, 1)
    await web.stop?.()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
