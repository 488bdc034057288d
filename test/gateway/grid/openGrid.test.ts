import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createWalletClient, http } from 'viem'
import { foundry } from 'viem/chains'
import type { SepScript } from '../../support/grid/sepScript.ts'
import { startSepServer } from '../../support/grid/sepServer.ts'
import { startVtnServer } from '../../support/grid/vtnServer.ts'
import type { Demand } from '../../../gateway/control/demand.ts'
import { gridConfigSchema } from '../../../gateway/grid/config.ts'
import { openGrid } from '../../../gateway/grid/openGrid.ts'
import { readPrices } from '../../../gateway/grid/publisher/tariffReader.ts'
import { connectL1, l1ConfigSchema } from '../../../l1/client.ts'
import { deploy } from '../../../l1/deploy.ts'
import { openZone } from '../../../l1/operate/lanes.ts'
import { PERIOD_SECONDS } from '../../../protocol/limits.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { parseConfig } from '../../../runtime/config.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { startService } from '../../../runtime/service.ts'
import { anvilAccount, anvilPrivateKey, startAnvil } from '../../support/anvil.ts'
import { untilWithin } from '../../support/until.ts'

const START = 1_790_000_100
const LFDI = 'AB'.repeat(20)

const eventually = untilWithin(180)

test('from a utility’s event and a market’s prices to the tariff on L1 and to EVSEs, and back when it is called off', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'backfeed-grid-'))
  await using anvil = await startAnvil({ timestamp: START })
  const aheadMs = (await anvil.now()) * 1000 - Date.now()
  const now = (): number => Date.now() + aheadMs
  const first = START / PERIOD_SECONDS + 10
  const event: SepScript['programs'][number]['controls'][number] = {
    mrid: 'AA',
    creationTime: START,
    start: first * PERIOD_SECONDS,
    duration: 4 * PERIOD_SECONDS,
    base: { opModTargetW: { multiplier: 3, value: 40 } },
    replyTo: '/rsp',
    responseRequired: '03',
  }
  const running = { ...event, mrid: 'BB', start: START - 60, duration: 600 }
  const script: SepScript = {
    devices: [{ lfdi: LFDI, sfdi: 1 }],
    programs: [{ mrid: 'F1', primacy: 1, controls: [event, running] }],
    tariffs: [],
  }
  const time = new Date(first * PERIOD_SECONDS * 1000).toISOString()
  const vtnEvent = {
    id: 'e1',
    programID: 'p1',
    payloadDescriptors: [{ payloadType: 'EXPORT_PRICE', units: 'KWH', currency: 'USD' }],
    intervalPeriod: { start: time, duration: 'PT15M' },
    intervals: [{ id: 0, payloads: [{ type: 'EXPORT_PRICE', values: [0.75] }] }],
  }
  await using utility = await startSepServer({ script, now: () => now() / 1000, pollRate: 1 })
  await using vtn = await startVtnServer({
    script: { programs: [{ id: 'p1', programName: 'V2G' }], events: [vtnEvent] },
  })
  // Hours of the day before until the day after: 0.05 $/kWh each.
  const rows = Array.from({ length: 48 }, (_, i) => {
    const hour = new Date((Math.floor(START / 3_600) + i - 12) * 3_600_000).toISOString()
    return `${hour},0.05`
  })
  await writeFile(join(folder, 'prices.csv'), `time,price\n${rows.join('\n')}\n`)
  await writeFile(join(folder, 'key'), anvilPrivateKey(4))

  const client = await connectL1(l1ConfigSchema.parse({ rpcUrl: anvil.url }))
  const wallet = createWalletClient({ account: anvilAccount(0), chain: foundry, transport: http(anvil.url) })
  const contracts = await deploy(wallet, anvil.publicClient)
  const roles = { publisher: anvilAccount(4).address, certifier: anvilAccount(0).address }
  const zone = await openZone({ client, account: anvilAccount(0) as never }, contracts.registry, roles)

  const config = parseConfig(gridConfigSchema, {
    ieee20305: [{ name: 'utility', url: utility.url, lfdi: LFDI, minPollSeconds: 1, pollSeconds: 1 }],
    openadr: [{ name: 'vtn', url: vtn.url, pollSeconds: 1, pricesOpenGate: false }],
    feeds: [
      {
        name: 'market',
        file: join(folder, 'prices.csv'),
        timeColumn: 'time',
        priceColumn: 'price',
        stamp: 'beginning',
      },
    ],
    publisher: {
      keyFile: join(folder, 'key'),
      zones: [{ zone, prices: ['vtn', 'market'], events: ['utility'] }],
      pollSeconds: 1,
      transactions: { pollMs: 20, finality: { kind: 'depth', blocks: 2 } },
    },
    demand: [{ source: 'utility' }],
  })
  const demands: Demand[] = []
  const grid = openGrid(config, {
    client,
    contracts,
    dataDir: folder,
    evses: () => [{ name: 'evse-1', ratedW: 50_000 }],
    demand: (demand) => demands.push(demand),
    log: silentLogger(),
    metrics: createMetrics({ service: 'test', process: false }),
    now,
  })
  const service = await startService({ name: 'grid', components: grid.components, log: silentLogger() })
  try {
    const onL1 = async (): Promise<number[]> => [
      ...(await readPrices(client, contracts.tariff, { zone, first: first - 1, last: first + 4 })).values(),
    ]
    const equals = async (wanted: number[]): Promise<boolean> => JSON.stringify(await onL1()) === JSON.stringify(wanted)
    await eventually('the event is priced', () => equals([0, 750_000, 50_000, 50_000, 50_000, 0]))
    await eventually('the running event asks for power', () => demands.some(({ watts }) => watts === 40_000))
    assert.deepEqual(
      grid.reports.map((report) => report.status().name),
      ['grid.publisher', 'grid.demand', 'grid.utility', 'grid.vtn', 'grid.market'],
    )
    assert.equal(grid.reports.find((report) => report.status().name === 'grid.market')?.status().state, 'UP')

    event.ended = { status: 2, at: Math.floor(now() / 1000) }
    running.ended = { status: 2, at: Math.floor(now() / 1000) }
    await eventually('the event is taken back', () => equals([0, 0, 0, 0, 0, 0]))
    await eventually('and asks for nothing', () => demands.at(-1)?.watts === 0)
    await eventually(
      'the utility is told',
      () => utility.received.filter(({ body }) => /<status>6</.test(body)).length === 2,
    )
  } finally {
    await service.stop()
    await rm(folder, { recursive: true, force: true })
  }
})

test('a configuration that contradicts itself names the key', () => {
  const refused = (value: object, pattern: RegExp): void =>
    assert.throws(
      () => parseConfig(gridConfigSchema, value),
      (error) => isBackfeedError(error, 'CONFIG_INVALID') && pattern.test(error.message),
    )
  const feed = { name: 'm', file: 'x.csv', timeColumn: 't', priceColumn: 'p', stamp: 'ending' }
  const publisher = (zones: object[]) => ({ keyFile: 'k', zones })
  refused({ feeds: [feed, feed] }, /two sources are named m/)
  refused({ publisher: publisher([{ zone: 0, prices: ['m'] }]) }, /publisher\.zones\.0\.prices: no source is named m/)
  refused(
    {
      feeds: [feed],
      publisher: publisher([
        { zone: 0, prices: ['m'] },
        { zone: 0, prices: ['m'] },
      ]),
    },
    /given twice/,
  )
  refused({ feeds: [{ ...feed, url: 'https://x.example/' }] }, /either file or url/)
  refused({ feeds: [{ ...feed, timeZone: 'Mars/Olympus' }] }, /no time zone/)
  refused({ feeds: [{ ...feed, stamp: undefined }] }, /feeds\.0\.stamp/)
  refused({ ieee20305: [{ name: 'u', url: 'https://u.example/dcap' }] }, /certFile, keyFile and caFile/)
  refused({ demand: [{ source: 'u' }] }, /demand\.0\.source: no source is named u/)
})
