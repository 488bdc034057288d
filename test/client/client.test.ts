import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient } from '../../client/http.ts'
import { createLibp2pClient } from '../../client/libp2p.ts'
import type { RecordClient } from '../../client/recordClient.ts'
import { SubmitError } from '../../client/submitError.ts'
import { DUPLICATE } from '../../protocol/wire.ts'
import { silentLogger } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { startHttpServer } from '../../sequencer/httpServer.ts'
import { Admission } from '../../sequencer/ingress/admission.ts'
import { Intake } from '../../sequencer/ingress/intake.ts'
import { startLibp2pIngress } from '../../sequencer/ingress/libp2p.ts'
import { createIngressMetrics } from '../../sequencer/ingress/metrics.ts'
import { recordRoutes } from '../../sequencer/ingress/recordRoutes.ts'
import { FakeSink, rowsOf } from '../sequencer/support/fakeSink.ts'
import { until } from '../support/until.ts'

// Both ways to the real ingress must behave alike.

const retry = { attempts: 3, firstDelayMs: 1, maxDelayMs: 5 }

interface Way {
  client: RecordClient
  sink: FakeSink
  admission: Admission
  stopServer(): Promise<void>
}

async function overHttp(t: TestContext): Promise<Way> {
  const { intake, sink, admission } = pipeline()
  const routes = [recordRoutes({ intake, queries: { evseEndedBefore: () => false } })]
  const server = await startHttpServer({ host: '127.0.0.1', port: 0, routes, log: silentLogger() })
  const client = createHttpClient({ url: `${server.url}/`, retry, receipts: 'unchecked' })
  t.after(async () => {
    sink.release()
    await client.close()
    await server.close()
  })
  return { client, sink, admission, stopServer: () => server.close() }
}

async function overLibp2p(t: TestContext): Promise<Way> {
  const { intake, sink, admission } = pipeline()
  const folder = await mkdtemp(join(tmpdir(), 'backfeed-'))
  const ingress = await startLibp2pIngress({
    listen: ['/ip4/127.0.0.1/tcp/0'],
    keyFile: join(folder, 'peer.key'),
    intake,
    log: silentLogger(),
  })
  const client = await createLibp2pClient({
    address: ingress.multiaddrs[0]!,
    retry,
    maxRequests: 4,
    receipts: 'unchecked',
  })
  t.after(async () => {
    sink.release()
    await client.close()
    await ingress.close()
    await rm(folder, { recursive: true })
  })
  return { client, sink, admission, stopServer: () => ingress.close() }
}

function pipeline() {
  const sink = new FakeSink()
  const admission = new Admission()
  const metrics = createIngressMetrics(createMetrics({ service: 'test', process: false }), () => admission.inFlight)
  return { intake: new Intake({ sink, admission, metrics, log: silentLogger() }), sink, admission }
}

for (const [name, open] of Object.entries({ http: overHttp, libp2p: overLibp2p })) {
  test(`${name}: results come back for the rows they belong to`, async (t) => {
    const { client, sink } = await open(t)
    sink.answer = (submission, index) => ({
      code: index === 1 ? DUPLICATE : 0,
      position: submission.rows[index * 88]!,
      amountMicro: submission.lane,
    })
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.submit({ lane: i, rows: rowsOf(1 + (i % 3), i) })),
    )
    for (const [i, results] of answers.entries()) {
      const rows = rowsOf(1 + (i % 3), i)
      assert.deepEqual(
        results,
        Array.from({ length: 1 + (i % 3) }, (_, index) => ({
          code: index === 1 ? DUPLICATE : 0,
          position: rows[index * 88],
          amountMicro: i,
        })),
      )
    }
  })

  test(`${name}: waits as it was told and tries again`, async (t) => {
    const { client, sink } = await open(t)
    sink.refusal = { refusal: { code: 'OVERLOADED', message: 'full', retryAfterMs: 1_000 } }
    const began = performance.now()
    const pending = client.submit({ lane: 1, rows: rowsOf(1) })
    await until(() => sink.submissions.length === 1)
    sink.refusal = undefined
    assert.equal((await pending).length, 1)
    assert.ok(performance.now() - began >= 990)
  })

  test(`${name}: gives up on what cannot get better, at once`, async (t) => {
    const { client, sink } = await open(t)
    sink.refusal = { refusal: { code: 'UNKNOWN_LANE', message: 'none', retryAfterMs: 0 } }
    await assert.rejects(client.submit({ lane: 1, rows: rowsOf(1) }), (error) => {
      assert.ok(error instanceof SubmitError)
      assert.deepEqual([error.code, error.retryable], ['UNKNOWN_LANE', false])
      return true
    })
    assert.equal(sink.submissions.length, 1)
  })

  test(`${name}: a sequencer that is gone is NO_ANSWER after the last attempt`, async (t) => {
    const { client, stopServer } = await open(t)
    await client.submit({ lane: 1, rows: rowsOf(1) })
    await stopServer()
    await assert.rejects(
      client.submit({ lane: 1, rows: rowsOf(1) }),
      (error) => error instanceof SubmitError && error.code === 'NO_ANSWER' && error.retryable,
    )
  })

  test(`${name}: the caller may stop waiting`, async (t) => {
    const { client, sink } = await open(t)
    sink.hold()
    const stop = new AbortController()
    const pending = client.submit({ lane: 1, rows: rowsOf(1), signal: stop.signal })
    await until(() => sink.submissions.length === 1)
    stop.abort(new Error('enough'))
    await assert.rejects(pending, /enough/)
    sink.release()
    assert.equal((await client.submit({ lane: 1, rows: rowsOf(2) })).length, 2)
  })

  test(`${name}: rows that are no rows never leave`, async (t) => {
    const { client, sink } = await open(t)
    for (const length of [0, 87, 88 * 1_025]) {
      await assert.rejects(async () => client.submit({ lane: 1, rows: new Uint8Array(length) }), RangeError)
    }
    assert.equal(sink.submissions.length, 0)
  })
}

test('libp2p: no more than maxRequests are under way', async (t) => {
  const { client, sink } = await overLibp2p(t)
  sink.hold()
  const pending = Array.from({ length: 10 }, () => client.submit({ lane: 1, rows: rowsOf(1) }))
  await until(() => sink.submissions.length === 4)
  await sleep(30)
  assert.equal(sink.submissions.length, 4)
  sink.release()
  assert.equal((await Promise.all(pending)).length, 10)
})

test('libp2p: an address without the sequencer’s id is refused', async () => {
  await assert.rejects(createLibp2pClient({ address: '/ip4/127.0.0.1/tcp/1', receipts: 'unchecked' }), RangeError)
})
