import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { BackfeedError } from '../../runtime/errors.ts'
import { createLogger, silentLogger } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { StatusServer, type StatusServerSettings } from '../../runtime/statusServer.ts'

async function serving(more: Partial<StatusServerSettings> = {}) {
  const metrics = createMetrics({ service: 'test', process: false })
  const gauge = metrics.gauge({ name: 'test_value', help: 'a value' })
  const server = new StatusServer({
    host: '127.0.0.1',
    port: 0,
    metrics,
    log: silentLogger(),
    problems: () => [],
    status: () => ({ big: 12n }),
    refresh: () => gauge.set(7),
    ...more,
  })
  await server.start()
  return { url: server.url, [Symbol.asyncDispose]: () => server.stop() }
}

const post = (url: string, body: string, type = 'application/json'): Promise<Response> =>
  fetch(url, { method: 'POST', body, headers: { 'content-type': type } })

test('health is 200 while nothing is wrong, and 503 with the reasons else', async () => {
  const problems: { code: string }[] = []
  await using server = await serving({ problems: () => problems })
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
  problems.push({ code: 'SOMETHING' })
  const answer = await fetch(`${server.url}/healthz`)
  assert.equal(answer.status, 503)
  assert.deepEqual(await answer.json(), { problems: [{ code: 'SOMETHING' }] })
})

test('status and refreshed metrics, at paths of choice', async () => {
  await using server = await serving({ paths: { health: '/health', status: '/v1/status' } })
  assert.deepEqual(await (await fetch(`${server.url}/v1/status?x=1`)).json(), { big: '12' })
  assert.match(await (await fetch(`${server.url}/metrics`)).text(), /^backfeed_test_value\{service="test"\} 7$/m)
  assert.equal((await fetch(`${server.url}/healthz`)).status, 404)
  assert.equal((await fetch(`${server.url}/constructor`)).status, 404)
  assert.equal((await post(`${server.url}/v1/status`, '{}')).status, 405)
})

test('an action is not for pages in a browser, whatever name they reached it by', async () => {
  const asked: unknown[] = []
  await using server = await serving({ actions: { '/v1/do': async (body) => void asked.push(body) } })
  const headers = { 'content-type': 'application/json', origin: 'http://rebound.example:9465' }
  const answer = await fetch(`${server.url}/v1/do`, { method: 'POST', body: '{}', headers })
  assert.deepEqual([answer.status, asked], [403, []])
})

test('an action takes JSON alone, and answers what went wrong with its code', async () => {
  const seen: unknown[] = []
  const act = async (body: unknown): Promise<unknown> => {
    seen.push(body)
    if (seen.length > 1) throw new BackfeedError('NOT_AGAIN', 'once is enough')
    return { done: true }
  }
  await using server = await serving({ actions: { '/v1/act': act } })
  assert.deepEqual(await (await post(`${server.url}/v1/act`, '{"a":1}')).json(), { done: true })
  const second = await post(`${server.url}/v1/act`, '{}')
  assert.equal(second.status, 400)
  assert.deepEqual(await second.json(), { code: 'NOT_AGAIN', message: 'once is enough' })
  for (const [body, type] of [
    ['{"a":1}', 'text/plain'],
    ['{', 'application/json'],
    [`"${'x'.repeat(70_000)}"`, 'application/json'],
  ] as const) {
    const answer = await post(`${server.url}/v1/act`, body, type)
    assert.equal(answer.status, 400)
    assert.equal(((await answer.json()) as { code: string }).code, 'BAD_REQUEST')
  }
  assert.deepEqual(seen, [{ a: 1 }, {}])
  assert.equal((await fetch(`${server.url}/v1/act`)).status, 405)
})

test('what nobody foresaw is a 500 without a reason, and the reason is in the log', async () => {
  const lines: string[] = []
  const log = createLogger({ service: 'test', destination: { write: (line) => void lines.push(line) } })
  const status = (): unknown => {
    throw new TypeError('no such lane')
  }
  const act = (): Promise<unknown> => Promise.reject(new RangeError('no such day'))
  await using server = await serving({ log, status, actions: { '/v1/act': act } })
  for (const answer of [await fetch(`${server.url}/status`), await post(`${server.url}/v1/act`, '{}')]) {
    assert.deepEqual([answer.status, await answer.text()], [500, 'failed\n'])
  }
  const told = lines.map((line) => JSON.parse(line))
  assert.deepEqual(
    told.map(({ level, path, err }) => [level, path, err.message]),
    [
      ['error', '/status', 'no such lane'],
      ['error', '/v1/act', 'no such day'],
    ],
  )
})

test('a body that does not come whole is the fault of who sent it', async () => {
  const lines: string[] = []
  const log = createLogger({ service: 'test', destination: { write: (line) => void lines.push(line) } })
  let calls = 0
  await using server = await serving({ log, actions: { '/v1/act': async () => calls++ } })
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  socket.write('POST /v1/act HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{')
  await once(socket, 'connect')
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200) // the half is there
  socket.resetAndDestroy()
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([lines, calls], [[], 0])
})
