import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createWalletClient, http } from 'viem'
import { foundry } from 'viem/chains'
import { publisherConfigSchema } from '../../../../gateway/grid/publisher/config.ts'
import { TariffPublisher } from '../../../../gateway/grid/publisher/publisher.ts'
import { readPrices } from '../../../../gateway/grid/publisher/tariffReader.ts'
import { readFeedPrices } from '../../../../gateway/grid/feed/feedPrices.ts'
import { TimeZone } from '../../../../gateway/grid/feed/zonedTime.ts'
import { connectL1, l1ConfigSchema, type L1Client } from '../../../../l1/client.ts'
import { type Deployment, deploy } from '../../../../l1/deploy.ts'
import { openZone } from '../../../../l1/operate/lanes.ts'
import { NOTICE_SECONDS, PERIOD_SECONDS } from '../../../../protocol/limits.ts'
import { isBackfeedError } from '../../../../runtime/errors.ts'
import { silentLogger } from '../../../../runtime/log.ts'
import { createMetrics, type Metrics } from '../../../../runtime/metrics.ts'
import { type Anvil, anvilAccount, anvilPrivateKey, startAnvil } from '../../../support/anvil.ts'
import { REAL_PRICES, sharedData, skipWithout } from '../../../support/sharedData.ts'
import { untilWithin } from '../../../support/until.ts'
import { event, price, SettableSource } from '../support/settableSource.ts'

const START = 1_790_000_100 // a multiple of 900 seconds
const PUBLISHER = 3

let anvil: Anvil
let client: L1Client
let contracts: Deployment
let folder: string
/** What the chain's clock is ahead of ours, milliseconds. */
let aheadMs = 0
const now = (): number => Date.now() + aheadMs

before(async () => {
  assert.equal(START % PERIOD_SECONDS, 0)
  folder = await mkdtemp(join(tmpdir(), 'backfeed-publisher-'))
  await writeFile(join(folder, 'key'), anvilPrivateKey(PUBLISHER))
  anvil = await startAnvil({ timestamp: START })
  client = await connectL1(l1ConfigSchema.parse({ rpcUrl: anvil.url }))
  const wallet = createWalletClient({ account: anvilAccount(0), chain: foundry, transport: http(anvil.url) })
  contracts = await deploy(wallet, anvil.publicClient)
})

after(async () => {
  await anvil?.stop()
  await rm(folder, { recursive: true, force: true })
})

interface Running extends AsyncDisposable {
  readonly publisher: TariffPublisher
  readonly metrics: Metrics
}

async function newZone(): Promise<number> {
  const account = anvilAccount(0)
  const roles = { publisher: anvilAccount(PUBLISHER).address, certifier: account.address }
  return await openZone({ client, account: account as never }, contracts.registry, roles)
}

async function run(
  source: SettableSource,
  zones: object[],
  options: { dataDir?: string; lead?: number; client?: L1Client } = {},
): Promise<Running> {
  await syncClock()
  const metrics = createMetrics({ service: 'test', process: false })
  const config = publisherConfigSchema.parse({
    keyFile: join(folder, 'key'),
    zones,
    leadMinutes: options.lead ?? 60,
    pollSeconds: 1,
    graceSeconds: 1,
    horizonHours: 30,
    freezeMarginSeconds: 60,
    transactions: {
      pollMs: 20,
      rebroadcastMs: 200,
      finality: { kind: 'depth', blocks: 3 },
      lowBalanceEther: 0.001,
    },
  })
  const publisher = new TariffPublisher(config, {
    client: options.client ?? client,
    contracts,
    dataDir: options.dataDir ?? (await mkdtemp(join(folder, 'data-'))),
    sources: [source],
    log: silentLogger(),
    metrics,
    now,
  })
  await publisher.start({ fail: (error) => assert.fail(String(error)) })
  return { publisher, metrics, [Symbol.asyncDispose]: () => publisher.stop() }
}

async function syncClock(): Promise<void> {
  aheadMs = (await anvil.now()) * 1000 - Date.now()
}

async function warp(seconds: number): Promise<void> {
  await anvil.warp(Math.ceil(seconds))
  await syncClock()
}

const pricesOn = (zone: number, first: number, count: number) =>
  readPrices(client, contracts.tariff, { zone, first, last: first + count - 1 }).then((found) => [...found.values()])

const until = untilWithin(180)

const equals = (a: readonly number[], b: readonly number[]): boolean => JSON.stringify(a) === JSON.stringify(b)
const sent = async (): Promise<number> => client.getTransactionCount({ address: anvilAccount(PUBLISHER).address })
/** First period that starts at least `minutes` from now. */
const periodIn = (minutes: number): number => Math.ceil((now() / 1000 + minutes * 60) / PERIOD_SECONDS)

test('prices are written once, corrected until they freeze, and never after', async () => {
  const zone = await newZone()
  await syncClock()
  const first = periodIn(120)
  const source = new SettableSource('feed', { prices: [price(first, 4, 33_310), price(first + 6, 2, 50_000)] })
  const before = await sent()
  await using running = await run(source, [{ zone, prices: ['feed'], pricing: 'always' }])
  const wanted = [33_310, 33_310, 33_310, 33_310, 0, 0, 50_000, 50_000]
  await until('the first prices', async () => equals(await pricesOn(zone, first, 8), wanted))
  assert.equal((await sent()) - before, 2, 'a run each')

  // Looking again writes nothing.
  running.publisher.poke()
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal((await sent()) - before, 2)

  source.set({ prices: [price(first, 4, 33_310), price(first + 6, 1, 50_001), price(first + 7, 1, 50_000)] })
  await until('the correction', async () => (await pricesOn(zone, first + 6, 1))[0] === 50_001)
  assert.equal((await sent()) - before, 3, 'only what differs')

  // Into the half hour before the first period: it is frozen, the second is not.
  await warp(first * PERIOD_SECONDS - NOTICE_SECONDS + 60 - now() / 1000)
  source.set({ prices: [price(first, 4, 7_000), price(first + 6, 2, 50_000)] })
  await until('what is open', async () => equals(await pricesOn(zone, first, 4), [33_310, 7_000, 7_000, 7_000]))
  const [problem] = running.publisher.status().problems
  assert.equal(problem?.code, 'PRICE_LATE')
  assert.match(await running.metrics.text(), /tariff_missed_periods_total\{zone="\d+",why="unannounced"[^}]*\} 1/)
})

test('a period that froze while L1 took its time to answer is not written', async () => {
  const zone = await newZone()
  await syncClock()
  const first = periodIn(45)
  const source = new SettableSource('feed', { prices: [price(first, 2, 10)] })
  let meanwhile: (() => Promise<void>) | undefined
  const slow = {
    ...client,
    getBlockNumber: async () => {
      const number = await client.getBlockNumber()
      const happens = meanwhile
      meanwhile = undefined
      await happens?.()
      return number
    },
  } as unknown as L1Client
  await using running = await run(source, [{ zone, prices: ['feed'], pricing: 'always' }], { client: slow })
  await until('the first prices', async () => equals(await pricesOn(zone, first, 2), [10, 10]))
  await until('rest', async () => running.publisher.status().figures[`zone ${zone} waiting`] === 0)
  meanwhile = async () => {
    await warp(first * PERIOD_SECONDS - NOTICE_SECONDS + 60 - now() / 1000)
    source.set({ prices: [price(first, 2, 20)] })
  }
  running.publisher.poke()
  await until('what is open', async () => equals(await pricesOn(zone, first, 2), [10, 20]))
  assert.doesNotMatch(await running.metrics.text(), /L1_REVERTED/)
})

test('a price taken back and forth is written each time', async () => {
  const zone = await newZone()
  await syncClock()
  const first = periodIn(180)
  const source = new SettableSource('feed', { prices: [price(first, 1, 10)] })
  await using _ = await run(source, [{ zone, prices: ['feed'], pricing: 'always' }])
  for (const nano of [10, 20, 10, 20, 10, 20]) {
    source.set({ prices: [price(first, 1, nano)] })
    await until(`${nano}`, async () => (await pricesOn(zone, first, 1))[0] === nano)
  }
})

test('event-only: an event opens the gate, its cancellation closes it, and a gap of prices is told', async () => {
  const zone = await newZone()
  await syncClock()
  const first = periodIn(150)
  const prices = [price(first - 20, 80, 40_000)]
  const source = new SettableSource('utility', { prices, events: [event('A', first, 4)] })
  await using running = await run(source, [{ zone, prices: ['utility'], events: ['utility'] }])
  await until('the event', async () =>
    equals(await pricesOn(zone, first - 1, 6), [0, 40_000, 40_000, 40_000, 40_000, 0]),
  )

  source.set({ prices, events: [{ ...event('A', first, 0), state: 'cancelled' as const }, event('B', first + 2, 3)] })
  await until('B instead of A', async () => equals(await pricesOn(zone, first, 6), [0, 0, 40_000, 40_000, 40_000, 0]))
  // An event that nobody prices, and that is due: told, and L1 left alone.
  source.set({ prices: [price(first, 3, 40_000)], events: [event('B', first + 2, 3)] })
  await warp((first + 3) * PERIOD_SECONDS - 3_500 - now() / 1000)
  await until('PRICE_MISSING', () => {
    running.publisher.poke()
    return running.publisher.status().problems.some(({ code }) => code === 'PRICE_MISSING')
  })
  assert.deepEqual(await pricesOn(zone, first + 3, 2), [40_000, 40_000])
})

test('a stop between sending and the receipt sends nothing twice', async () => {
  const zone = await newZone()
  await syncClock()
  const first = periodIn(120)
  const dataDir = await mkdtemp(join(folder, 'data-'))
  const source = new SettableSource('feed', { prices: [price(first, 5, 123)] })
  const zones = [{ zone, prices: ['feed'], pricing: 'always' }]
  const before = await sent()
  await anvil.setAutomine(false)
  try {
    {
      await using _ = await run(source, zones, { dataDir })
      await until('the transaction waits in the pool', async () => (await pending()) === before + 1)
    }
    await using _ = await run(source, zones, { dataDir })
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(await pending(), before + 1)
    await anvil.mine()
    await until('the price', async () => equals(await pricesOn(zone, first, 5), [123, 123, 123, 123, 123]))
    await anvil.mine(5)
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(await pending(), before + 1)
  } finally {
    await anvil.setAutomine(true)
  }
})

const pending = (): Promise<number> =>
  client.getTransactionCount({ address: anvilAccount(PUBLISHER).address, blockTag: 'pending' })

test('a price that a reorganisation takes away is written again', async () => {
  const zone = await newZone()
  await syncClock()
  const first = periodIn(120)
  const source = new SettableSource('feed', { prices: [price(first, 3, 777)] })
  await using _ = await run(source, [{ zone, prices: ['feed'], pricing: 'always' }])
  await until('the price', async () => equals(await pricesOn(zone, first, 3), [777, 777, 777]))
  await anvil.reorg(1)
  await until('it is gone or back', async () => (await sent()) >= 0)
  await until('the price again', async () => equals(await pricesOn(zone, first, 3), [777, 777, 777]))
})

test('PRICE_LATE while the chain does not take it, and what was missed when it froze', async () => {
  const zone = await newZone()
  await syncClock()
  const first = periodIn(75)
  const source = new SettableSource('feed', { prices: [price(first - 12, 12, 0), price(first, 1, 5_000)] })
  await anvil.setAutomine(false)
  try {
    await using running = await run(source, [{ zone, prices: ['feed'], pricing: 'always' }])
    const { publisher, metrics } = running
    await until('it waits', async () => /tariff_waiting_periods\{[^}]*\} 1/.test(await metrics.text()))
    assert.equal(publisher.status().state, 'UP', 'not due yet')
    await aheadTo(first * PERIOD_SECONDS - 3_000)
    await until('late', () => {
      publisher.poke()
      return publisher.status().problems.some(({ code, message }) => code === 'PRICE_LATE' && /not on L1/.test(message))
    })
    assert.equal(publisher.status().state, 'DEGRADED')
    await aheadTo(first * PERIOD_SECONDS - 1_000)
    await until('missed', () => {
      publisher.poke()
      return publisher.status().problems.some(({ code, message }) => code === 'PRICE_LATE' && /frozen/.test(message))
    })
    assert.equal(publisher.status().state, 'DOWN')
    assert.match(await metrics.text(), /tariff_missed_periods_total\{[^}]*why="late"[^}]*\} 1/)
  } finally {
    await anvil.setAutomine(true)
    await anvil.mine()
    await syncClock()
  }
})

/** Our clock alone: the chain stands still. */
async function aheadTo(seconds: number): Promise<void> {
  aheadMs = seconds * 1000 - Date.now()
}

test('another account than the publisher is refused at the start', async () => {
  const account = anvilAccount(0)
  const roles = { publisher: account.address, certifier: account.address }
  const zone = await openZone({ client, account: account as never }, contracts.registry, roles)
  const source = new SettableSource('feed', {})
  await assert.rejects(run(source, [{ zone, prices: ['feed'] }]), (error) => isBackfeedError(error, 'NOT_PUBLISHER'))
})

test('a real market day is published for two zones, to the nano', { skip: skipWithout(REAL_PRICES) }, async () => {
  const zones = [await newZone(), await newZone()]
  await syncClock()
  // The market's day, moved whole days ahead to where the chain is.
  const text = await readFile(sharedData(REAL_PRICES), 'utf8')
  const format = {
    timeColumn: 'Datetime (he)',
    priceColumn: 'DA Price ($/kWh)',
    timeFormat: 'mdy',
    unit: 'kWh',
    stamp: 'ending',
    intervalSeconds: 3600,
    zone: new TimeZone('UTC'),
  } as const
  const { intervals } = readFeedPrices(text, format, 'caiso')
  const day = Date.UTC(2020, 7, 14) / 1000
  const firstHour = Math.ceil(now() / 1000 / 3600 + 2) * 3600
  const hours = intervals.filter(({ start }) => start >= day && start < day + 86_400)
  assert.equal(hours.length, 24)
  const shift = firstHour - day
  const moved = hours.map((hour) => ({ ...hour, start: hour.start + shift, end: hour.end + shift }))
  const source = new SettableSource('caiso', { prices: moved })
  await using _ = await run(
    source,
    zones.map((zone) => ({ zone, prices: ['caiso'], pricing: 'always' })),
  )
  // Computed from the file's own text, independently: digits shifted by six places, cut off.
  const lines = text.split('\n').filter((line) => /^8\/(14\/2020 ([1-9]|1\d|2[0-3])|15\/2020 0):00/.test(line))
  const nano = lines.map((line) => {
    const [whole, fraction = ''] = line.split(',')[1]!.split('.')
    return Math.max(0, Number(`${whole}${fraction.padEnd(6, '0').slice(0, 6)}`))
  })
  assert.equal(nano.length, 24)
  const wanted = nano.flatMap((value) => [value, value, value, value])
  for (const zone of zones) {
    await until(`zone ${zone}`, async () => equals(await pricesOn(zone, firstHour / PERIOD_SECONDS, 96), wanted))
  }
})
