import assert from 'node:assert/strict'
import { getAddress } from 'viem'
import type { Receipt } from '../../../protocol/receipt.ts'
import { parseReceiptJson } from '../../../protocol/receiptJson.ts'
import { type TestContext, test } from 'node:test'
import { genesisHeader, hashHeader } from '../../../protocol/batchHeader.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { DUPLICATE } from '../../../protocol/wire.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { adminRoutes } from '../../../sequencer/api/adminRoutes.ts'
import { queryRoutes } from '../../../sequencer/api/queryRoutes.ts'
import { startHttpServer } from '../../../sequencer/httpServer.ts'
import type {
  BatchStatus,
  ContractCredit,
  ForcedLife,
  HealthProblem,
  LaneQueries,
  LaneStatus,
  RecordLife,
} from '../../../sequencer/queries.ts'

const BEYOND = 2n ** 53n + 1n
const header = { ...genesisHeader(4, 1_700_000_000), l1Block: BEYOND }
const transaction = {
  hash: `0x${'ab'.repeat(32)}`,
  mined: { block: 12, blockHash: `0x${'cd'.repeat(32)}`, seconds: 1_700_000_900, finalAtSeconds: 1_700_605_700 },
} as const

const status: LaneStatus = {
  lane: 4,
  zone: 2,
  scheme: 0,
  operator: `0x${'11'.repeat(20)}`,
  accepting: true,
  accepted: 120,
  settled: 118,
  energyWh: 4_000,
  spentMicro: BEYOND,
  fundedMicro: BEYOND + 1n,
  l1: { block: 13, seconds: 1_700_001_000 },
  forced: { queued: 40, taken: 39 },
  openBatch: { index: 41, asOf: 1_700_001_800, records: 3, openedAtMs: 1_700_001_700_000 },
  closedIndex: 40,
  postedIndex: 39,
  finalIndex: 10,
}

const batch = (index: number): BatchStatus => ({
  header: { ...header, index: BigInt(index) },
  headerHash: hashHeader(header),
  stage: 'posted',
  records: 100,
  firstPosition: index * 100,
  closedAtMs: 1,
  transaction,
})

const life: RecordLife = {
  record: { evse: 1, contract: 2, start: 3, intervals: 4, energyWh: 5, meterEndWh: 6, socDrop: 7, tempC: 8 },
  signature: `0x${'22'.repeat(64)}`,
  position: 77,
  receivedAtMs: 1_700_000_000_123,
  stage: 'posted',
  outcome: DUPLICATE,
  amountMicro: 123,
  batchIndex: 1,
  place: { headerHash: hashHeader(header), chunk: 2, slot: 21 },
  transaction,
}

const forced = (index: number): ForcedLife => {
  const told = { index, record: life.record, queuedAt: 1_700_000_000 + index }
  if (index >= status.forced.taken) return { ...told, stage: 'waiting' }
  return { ...told, stage: 'posted', outcome: Outcome.SETTLED, amountMicro: 123, batchIndex: 7 }
}

const credit: ContractCredit = {
  lane: 4,
  slot: 9,
  vehicle: 2n ** 64n - 1n,
  now: { creditedMicro: BEYOND, energyWh: 10, count: 2 },
  final: {
    creditedMicro: 5n,
    energyWh: 6,
    count: 1,
    header,
    headerHash: hashHeader(header),
    evseRoot: `0x${'01'.repeat(32)}`,
    laneHash: `0x${'02'.repeat(32)}`,
    descriptor: `0x${'03'.repeat(77)}`,
    leaf: `0x${'04'.repeat(32)}`,
    path: Array.from({ length: 20 }, () => `0x${'05'.repeat(32)}` as const),
  },
}

const ROLLUP = getAddress(`0x${'ab'.repeat(20)}`)
const receipt: Receipt = {
  lane: 4,
  firstPosition: 4_700,
  count: 20,
  time: 1_800_000_000,
  root: new Uint8Array(32).fill(1),
  signature: new Uint8Array(65).fill(2),
  position: 4_711,
  row: new Uint8Array(88).fill(3),
  path: Array.from({ length: 5 }, () => new Uint8Array(32).fill(4)),
}

async function start(t: TestContext) {
  const asked: object[] = []
  const problems: HealthProblem[] = []
  const queries: LaneQueries = {
    problems: () => problems,
    lanes: () => [4],
    lane: (lane) => (lane === 4 ? status : undefined),
    batches: async (query) => {
      asked.push(query)
      const count = Math.max(0, Math.min(query.limit, status.closedIndex - query.from + 1))
      return Array.from({ length: count }, (_, i) => batch(query.from + i))
    },
    batch: async (_lane, index) => (index <= status.closedIndex ? batch(index) : undefined),
    record: async (query) => {
      asked.push(query)
      return query.evse === 1 ? life : undefined
    },
    forced: async ({ from, limit }) => {
      const count = Math.max(0, Math.min(limit, status.forced.queued - from))
      return Array.from({ length: count }, (_, i) => forced(from + i))
    },
    receipt: async (lane, position) =>
      position === receipt.position ? { chainId: 1, rollup: ROLLUP, receipt: { ...receipt, lane } } : undefined,
    contract: async (_lane, slot) => (slot === 9 ? credit : undefined),
    evseEndedBefore: () => false,
  }
  const metrics = createMetrics({ service: 'test', process: false })
  metrics.counter({ name: 'things_total', help: 'x' }).inc(3)
  const log = silentLogger()
  const server = await startHttpServer({ host: '127.0.0.1', port: 0, routes: [queryRoutes(queries)], log })
  const admin = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    routes: [adminRoutes({ metrics, queries })],
    log,
  })
  t.after(() => Promise.all([server.close(), admin.close()]))
  const get = async (path: string, base = server): Promise<[number, Record<string, unknown>]> => {
    const response = await fetch(base.url + path)
    return [response.status, (await response.json()) as Record<string, unknown>]
  }
  return { get, asked, problems, server, admin }
}

test('health: 200, or 503 with what is wrong, on both servers', async (t) => {
  const { get, problems, server, admin } = await start(t)
  assert.deepEqual(await get('/healthz'), [200, { status: 'ok', problems: [] }])
  problems.push({ code: 'L1_BEHIND', message: 'the newest L1 block is 900 s old' })
  for (const base of [server, admin]) {
    assert.deepEqual(await get('/healthz', base), [503, { status: 'unavailable', problems: [...problems] }])
  }
})

test('metrics are on the admin server only', async (t) => {
  const { get, admin } = await start(t)
  assert.equal((await get('/metrics'))[0], 404)
  const response = await fetch(`${admin.url}/metrics`)
  assert.match(response.headers.get('content-type')!, /^text\/plain/)
  assert.match(await response.text(), /backfeed_things_total\{service="test"\} 3/)
})

test('lanes, with money beyond 2^53 to the last unit', async (t) => {
  const { get } = await start(t)
  const expected = { ...status, spentMicro: '9007199254740993', fundedMicro: '9007199254740994' }
  assert.deepEqual(await get('/v1/lanes'), [200, { lanes: [expected] }])
  assert.deepEqual(await get('/v1/lanes/4'), [200, expected])
})

test('any web page may read', async (t) => {
  const { server } = await start(t)
  const response = await fetch(`${server.url}/v1/lanes/4`)
  assert.equal(response.headers.get('access-control-allow-origin'), '*')
  assert.match(response.headers.get('content-type')!, /^application\/json/)
})

test('batches by page: the newest unless asked otherwise, and where the next begins', async (t) => {
  const { get, asked } = await start(t)
  const page = async (query: string): Promise<[string[], unknown]> => {
    const [code, body] = await get(`/v1/lanes/4/batches${query}`)
    assert.equal(code, 200)
    return [(body.batches as { header: { index: string } }[]).map((item) => item.header.index), body.next]
  }
  assert.deepEqual(await page('?from=3&limit=2'), [['3', '4'], 5])
  assert.deepEqual(await page('?from=39&limit=5'), [['39', '40'], null])
  assert.deepEqual(await page('?from=41'), [[], null])
  assert.equal((await page(''))[0].length, 32)
  assert.deepEqual(asked.at(-1), { lane: 4, from: 9, limit: 32 })
  for (const query of ['?limit=0', '?limit=257', '?limit=x', '?from=-1', '?from=1&from=2', '?from=1.5']) {
    const [code, body] = await get(`/v1/lanes/4/batches${query}`)
    assert.deepEqual([code, body.code], [400, 'BAD_PARAMETER'], query)
  }
})

test('one batch, its 64-bit header fields as text', async (t) => {
  const { get } = await start(t)
  const [code, body] = await get('/v1/lanes/4/batches/7')
  assert.equal(code, 200)
  const given = body.header as Record<string, unknown>
  assert.deepEqual([given.index, given.l1Block, given.lane], ['7', '9007199254740993', 4])
  assert.deepEqual(body.transaction, transaction)
})

test('a record’s life', async (t) => {
  const { get, asked } = await start(t)
  const [code, body] = await get('/v1/lanes/4/records/1/3')
  assert.equal(code, 200)
  assert.deepEqual(asked, [{ lane: 4, evse: 1, start: 3 }])
  assert.deepEqual(body, { ...life, outcome: 'DUPLICATE' })
})

test('forced records by page, with what became of them', async (t) => {
  const { get } = await start(t)
  const [code, body] = await get('/v1/lanes/4/forced?from=38')
  assert.equal(code, 200)
  const [first, last] = body.entries as Record<string, unknown>[]
  const taken = { stage: 'posted', outcome: 'SETTLED', amountMicro: 123, batchIndex: 7 }
  assert.deepEqual(first, { index: 38, record: life.record, queuedAt: 1_700_000_038, ...taken })
  assert.deepEqual(last, { index: 39, record: life.record, queuedAt: 1_700_000_039, stage: 'waiting' })
  assert.equal(body.next, null)
  assert.equal((await get('/v1/lanes/4/forced?from=2&limit=3'))[1].next, 5)
  assert.equal(((await get('/v1/lanes/4/forced'))[1].entries as unknown[]).length, 32)
  assert.equal((await get('/v1/lanes/4/forced?limit=0'))[0], 400)
})

test('an owner’s credit, with everything that withdrawing takes', async (t) => {
  const { get } = await start(t)
  const [code, body] = await get('/v1/lanes/4/contracts/9')
  assert.equal(code, 200)
  assert.equal(body.vehicle, '18446744073709551615')
  assert.deepEqual(body.now, { creditedMicro: '9007199254740993', energyWh: 10, count: 2 })
  const final = body.final as Record<string, unknown>
  assert.equal((final.path as string[]).length, 20)
  assert.equal(final.creditedMicro, '5')
  assert.equal((final.header as Record<string, unknown>).l1Block, '9007199254740993')
})

test('what is not there is 404 by name, what is no number is 400', async (t) => {
  const { get } = await start(t)
  const expected: Record<string, [number, string]> = {
    '/v1/lanes/5': [404, 'UNKNOWN_LANE'],
    '/v1/lanes/0x4': [404, 'UNKNOWN_LANE'],
    '/v1/lanes/5/batches': [404, 'UNKNOWN_LANE'],
    '/v1/lanes/5/batches/1': [404, 'UNKNOWN_LANE'],
    '/v1/lanes/5/records/1/3': [404, 'UNKNOWN_LANE'],
    '/v1/lanes/5/contracts/9': [404, 'UNKNOWN_LANE'],
    '/v1/lanes/5/forced': [404, 'UNKNOWN_LANE'],
    '/v1/lanes/4/batches/41': [404, 'UNKNOWN_BATCH'],
    '/v1/lanes/4/batches/-1': [400, 'BAD_PARAMETER'],
    '/v1/lanes/4/records/2/3': [404, 'UNKNOWN_RECORD'],
    '/v1/lanes/4/records/1048576/3': [400, 'BAD_PARAMETER'],
    '/v1/lanes/4/records/1/4294967296': [400, 'BAD_PARAMETER'],
    '/v1/lanes/4/contracts/8': [404, 'UNKNOWN_CONTRACT'],
    '/v1/lanes/4/contracts/1e3': [400, 'BAD_PARAMETER'],
    '/v1/nothing': [404, 'NOT_FOUND'],
    [`/v1/lanes/${'4'.repeat(100)}`]: [414, 'URL_TOO_LONG'],
    '/v1/lanes/%ff': [400, 'BAD_URL'],
  }
  for (const [path, [code, name]] of Object.entries(expected)) {
    const [status, body] = await get(path)
    assert.deepEqual([status, body.code], [code, name], path)
  }
})

test('a receipt is a file that says for which deployment it is', async (t) => {
  const { get } = await start(t)
  const [status, body] = await get('/v1/lanes/4/records/4711/receipt')
  assert.equal(status, 200)
  assert.deepEqual(parseReceiptJson(JSON.stringify(body)), { chainId: 1, rollup: ROLLUP, receipt })
  assert.deepEqual((await get('/v1/lanes/4/records/4712/receipt'))[1].code, 'UNKNOWN_RECEIPT')
  assert.equal((await get('/v1/lanes/4/records/x/receipt'))[0], 400)
  assert.equal((await get('/v1/lanes/5/records/1/receipt'))[1].code, 'UNKNOWN_LANE')
  // A record's life keeps its place beside it.
  assert.equal((await get('/v1/lanes/4/records/1/2'))[0], 200)
})
