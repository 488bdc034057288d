import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TestContext, test } from 'node:test'
import { Outcome } from '../../../protocol/outcome.ts'
import { decodeRecord, encodeRecord } from '../../../protocol/record.ts'
import { DUPLICATE, type ResultCode, readResult } from '../../../protocol/wire.ts'
import { BLS_LAYOUT, P256_LAYOUT } from '../../../protocol/scheme.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { type HttpLimits, startHttpServer } from '../../../sequencer/httpServer.ts'
import { Admission, type AdmissionLimits } from '../../../sequencer/ingress/admission.ts'
import { Intake } from '../../../sequencer/ingress/intake.ts'
import { createIngressMetrics } from '../../../sequencer/ingress/metrics.ts'
import { recordRoutes } from '../../../sequencer/ingress/recordRoutes.ts'
import type { RecordStatus } from '../../../sequencer/ingress/recordStatus.ts'
import { HTTP_CLOSE_TIMEOUT_MS, httpMaxJsonBytes } from '../../../sequencer/limits.ts'
import { FakeSink, rowsOf } from '../support/fakeSink.ts'
import { until } from '../../support/until.ts'

const BINARY = 'application/octet-stream'
const record = {
  evse: 7,
  contract: 9,
  start: 118_800_000,
  intervals: 20,
  energyWh: 1_234,
  meterEndWh: 0xff_ffff_ffff,
  socDrop: 250,
  tempC: 31,
}
const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`
const signature = rowsOf(1).slice(24)

interface Settings {
  admission?: Partial<AdmissionLimits>
  limits?: Partial<HttpLimits>
  answerTimeoutMs?: number
  evseEnded?: boolean
}

async function start(t: TestContext, settings: Settings = {}) {
  const sink = new FakeSink()
  const metrics = createMetrics({ service: 'test', process: false })
  const admission = new Admission(settings.admission)
  const log = silentLogger()
  const ended: object[] = []
  const intake = new Intake({ sink, admission, metrics: createIngressMetrics(metrics, () => admission.inFlight), log })
  const queries = {
    evseEndedBefore: (query: object) => {
      ended.push(query)
      return settings.evseEnded ?? false
    },
  }
  const { answerTimeoutMs } = settings
  const routes = [recordRoutes({ intake, queries, ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }) })]
  const server = await startHttpServer({ host: '127.0.0.1', port: 0, routes, log, limits: settings.limits ?? {} })
  t.after(() => {
    sink.release()
    return server.close()
  })
  const post = (body: string | Uint8Array, headers: Record<string, string> = {}, lane = '3') =>
    fetch(`${server.url}/v1/lanes/${lane}/records`, {
      method: 'POST',
      headers: { 'content-type': typeof body === 'string' ? 'application/json' : BINARY, ...headers },
      body: body as Uint8Array<ArrayBuffer>,
    })
  return { sink, metrics, admission, server, post, ended }
}

async function problem(response: Response): Promise<[number, string]> {
  const body = (await response.json()) as { code: string; message: string }
  assert.equal(typeof body.message, 'string')
  return [response.status, body.code]
}

/** How long a sender stays half open after the server has ended: long after that must have given his place back. */
const HOLD_MS = 60_000

/** Sends raw bytes and returns everything that comes back until the server ends it; stays half open, as who holds on purpose does. */
function raw(port: number, text: string, then?: (write: (more: string) => void) => Promise<void>): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let received = ''
    socket.on('data', (data) => {
      received += data.toString('latin1')
    })
    socket.on('end', () => {
      resolve(received)
      setTimeout(() => socket.destroy(), HOLD_MS).unref()
    })
    socket.on('close', () => resolve(received))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
    socket.write(text)
    void then?.((more) => socket.write(more))
  })
}

test('binary in, binary out: the rows arrive as they were sent', async (t) => {
  const { post, sink, metrics, admission } = await start(t)
  const rows = rowsOf(1_024)
  const response = await post(rows, { accept: BINARY })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), BINARY)
  const results = new Uint8Array(await response.arrayBuffer())
  assert.equal(results.length, 16 * 1_024)
  assert.deepEqual(readResult(results, 16 * 1_023), { code: 0, position: 1_024, amountMicro: 2_023 })
  assert.equal(sink.submissions.length, 1)
  assert.equal(sink.submissions[0]!.lane, 3)
  assert.deepEqual(new Uint8Array(sink.submissions[0]!.rows), rows)
  assert.equal(admission.inFlight, 0)
  const text = await metrics.text()
  assert.match(text, /backfeed_ingress_records_total\{transport="http",result="SETTLED".*\} 1024/)
  assert.match(text, /backfeed_ingress_bytes_total\{transport="http".*\} 90112/)
})

test('both JSON forms give the same rows as the binary form', async (t) => {
  const { post, sink } = await start(t)
  const item = { record, signature: hex(signature) }
  const response = await post(JSON.stringify({ records: [item, { ...item, record: hex(encodeRecord(record)) }] }))
  assert.equal(response.status, 200)
  const { rows } = sink.submissions[0]!
  assert.deepEqual(decodeRecord(rows, 0), record)
  assert.deepEqual(rows.slice(24, 88), signature)
  assert.deepEqual(rows.slice(0, 88), rows.slice(88))
  const body = (await response.json()) as { results: object[] }
  assert.deepEqual(body.results[1], {
    status: 200,
    retryable: false,
    message: 'accepted and durable',
    code: 'SETTLED',
    position: 2,
    amountMicro: 1_001,
  })
})

test('every outcome has its status, and one record’s is the answer’s', async (t) => {
  const { post, sink } = await start(t)
  const expected: Record<string, [ResultCode, number, boolean, string?]> = {
    SETTLED: [Outcome.SETTLED, 200, false],
    DUPLICATE: [DUPLICATE, 208, false],
    UNKNOWN_EVSE: [Outcome.UNKNOWN_EVSE, 404, false],
    BAD_SIGNATURE: [Outcome.BAD_SIGNATURE, 401, false],
    MALFORMED: [Outcome.MALFORMED, 400, false],
    OVERLAP: [Outcome.OVERLAP, 409, false],
    METER_REGRESSION: [Outcome.METER_REGRESSION, 409, false, 'ERR_DATA_INCONSISTENCY'],
    POWER_EXCEEDED: [Outcome.POWER_EXCEEDED, 422, false],
    UNKNOWN_CONTRACT: [Outcome.UNKNOWN_CONTRACT, 404, false],
    SOC_INCONSISTENT: [Outcome.SOC_INCONSISTENT, 422, false, 'ERR_DATA_INCONSISTENCY'],
    NO_EVENT: [Outcome.NO_EVENT, 422, false],
    THERMAL_LIMIT: [Outcome.THERMAL_LIMIT, 422, false, 'THERMAL_LIMIT_REACHED'],
    BUDGET_EXHAUSTED: [Outcome.BUDGET_EXHAUSTED, 402, true],
    EMPTY: [Outcome.EMPTY, 400, false],
  }
  assert.equal(Object.keys(expected).length, Object.keys(Outcome).length + 1)
  for (const [name, [code, status, retryable, error]] of Object.entries(expected)) {
    sink.answer = () => ({ code, position: 0, amountMicro: 0 })
    const response = await post(rowsOf(1))
    assert.equal(response.status, status, name)
    const { results } = (await response.json()) as { results: RecordStatus[] }
    const [result] = results
    assert.deepEqual([result!.code, result!.status, result!.retryable], [name, status, retryable])
    assert.equal(result!.error, error)
  }
})

test('an EVSE that had ended is ERR_AUTH_EXPIRED, asked for the record’s end', async (t) => {
  const { post, sink, ended } = await start(t, { evseEnded: true })
  sink.answer = () => ({ code: Outcome.UNKNOWN_EVSE, position: 0, amountMicro: 0 })
  const response = await post(JSON.stringify({ records: [{ record, signature: hex(signature) }] }))
  assert.equal(response.status, 404)
  const { results } = (await response.json()) as { results: { error: string; code: string }[] }
  assert.deepEqual([results[0]!.code, results[0]!.error], ['UNKNOWN_EVSE', 'ERR_AUTH_EXPIRED'])
  assert.deepEqual(ended, [{ lane: 3, evse: 7, endSeconds: (record.start + record.intervals) * 15 }])
})

test('of many records: 200 all settled, 208 all duplicates, 207 otherwise', async (t) => {
  const { post, sink } = await start(t)
  const status = async (codes: ResultCode[]): Promise<number> => {
    sink.answer = (_submission, index) => ({ code: codes[index]!, position: 0, amountMicro: 0 })
    return (await post(rowsOf(codes.length))).status
  }
  assert.equal(await status([0, 0]), 200)
  assert.equal(await status([DUPLICATE, DUPLICATE]), 208)
  assert.equal(await status([0, DUPLICATE]), 207)
  assert.equal(await status([Outcome.OVERLAP, Outcome.OVERLAP]), 207)
})

test('requests that are wrong as a whole', async (t) => {
  const { post, sink, admission } = await start(t)
  const json = (value: unknown): Promise<Response> => post(JSON.stringify(value))
  const item = { record, signature: hex(signature) }
  assert.deepEqual(await problem(await post(new Uint8Array(0))), [400, 'BAD_LENGTH'])
  assert.deepEqual(await problem(await post(new Uint8Array(89))), [400, 'BAD_LENGTH'])
  assert.deepEqual(await problem(await post(new Uint8Array(88 * 1_025))), [413, 'TOO_MANY_RECORDS'])
  assert.deepEqual(await problem(await post('{"records":')), [400, 'BAD_JSON'])
  assert.deepEqual(await problem(await post('')), [400, 'BAD_JSON'])
  assert.deepEqual(await problem(await post('[]')), [400, 'BAD_RECORD'])
  assert.deepEqual(await problem(await json({ records: [] })), [400, 'BAD_RECORD'])
  const hexItem = { record: hex(encodeRecord(record)), signature: hex(signature) }
  assert.deepEqual(await problem(await json({ records: Array(1_025).fill(hexItem) })), [413, 'TOO_MANY_RECORDS'])
  assert.deepEqual(await problem(await post('a'.repeat(httpMaxJsonBytes(P256_LAYOUT) + 1))), [413, 'BODY_TOO_LARGE'])
  assert.deepEqual(await problem(await post('<x/>', { 'content-type': 'text/xml' })), [415, 'UNSUPPORTED_MEDIA_TYPE'])
  assert.deepEqual(await problem(await post('{}', { 'content-encoding': 'gzip' })), [415, 'UNSUPPORTED_ENCODING'])
  for (const lane of ['x', '4294967296', '-1', '1e3']) {
    assert.deepEqual(await problem(await post(rowsOf(1), {}, lane)), [404, 'UNKNOWN_LANE'])
  }
  const deep = `{"records":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
  assert.equal((await problem(await post(deep)))[0], 400)
  assert.deepEqual(sink.submissions, [])
  assert.equal(admission.inFlight, 0)
  assert.equal((await json({ records: [item] })).status, 200)
})

test('a bad record is named to its field and never repeated', async (t) => {
  const { post, sink } = await start(t)
  const good = { record, signature: hex(signature) }
  const message = async (item: unknown): Promise<string> => {
    const response = await post(JSON.stringify({ records: [good, item] }))
    assert.equal(response.status, 400)
    return ((await response.json()) as { message: string }).message
  }
  const at = async (item: unknown): Promise<string> => (await message(item)).split(':', 1)[0]!
  assert.equal(await at({ ...good, record: { ...record, energyWh: 2 ** 24 } }), 'records[1].record.energyWh')
  assert.equal(await at({ ...good, record: { ...record, tempC: -1 } }), 'records[1].record.tempC')
  assert.equal(await at({ ...good, record: { ...record, evse: '7' } }), 'records[1].record.evse')
  assert.equal(await at({ ...good, record: { ...record, start: 1.5 } }), 'records[1].record.start')
  assert.equal(await at({ ...good, record: { ...record, extra: 1 } }), 'records[1].record')
  assert.equal(await at({ ...good, record: `0x${'zz'.repeat(24)}` }), 'records[1].record')
  assert.equal(await at({ ...good, signature: `0x${'00'.repeat(63)}` }), 'records[1].signature')
  assert.equal(await at({ ...good, note: 1 }), 'records[1]')
  assert.equal(await at(null), 'records[1]')
  assert.ok(!(await message({ ...good, record: '<script>' })).includes('script'))
  assert.deepEqual(sink.submissions, [])
})

test('refusals of the pipeline, and its faults', async (t) => {
  const { post, sink, admission } = await start(t)
  sink.refusal = { refusal: { code: 'OVERLOADED', message: 'full', retryAfterMs: 2_500 } }
  const overloaded = await post(rowsOf(2))
  assert.equal(overloaded.headers.get('retry-after'), '3')
  assert.deepEqual(await problem(overloaded), [503, 'OVERLOADED'])
  sink.refusal = { refusal: { code: 'UNKNOWN_LANE', message: 'no such lane', retryAfterMs: 0 } }
  assert.deepEqual(await problem(await post(rowsOf(2))), [404, 'UNKNOWN_LANE'])
  sink.fault = new Error('disk on fire')
  const fault = await post(rowsOf(2))
  const text = await fault.text()
  assert.equal(fault.status, 503)
  assert.ok(!text.includes('fire'))
  assert.equal(admission.inFlight, 0)
})

test('one sender with too much under way is told 429, others get in; all is given back', async (t) => {
  const { post, sink, admission } = await start(t, { admission: { maxRecords: 100, maxPeerRecords: 50 } })
  sink.hold()
  const first = post(rowsOf(50))
  await until(() => admission.inFlight >= 50)
  const refused = await post(rowsOf(1))
  assert.equal(refused.headers.get('retry-after'), '1')
  assert.deepEqual(await problem(refused), [429, 'PEER_LIMIT'])
  const other = admission.enter('192.0.2.1', 50)
  assert.notEqual(typeof other, 'string')
  assert.deepEqual(await problem(await post(rowsOf(1))), [503, 'OVERLOADED'])
  sink.release()
  assert.equal((await first).status, 200)
  assert.equal(admission.inFlight, 50)
})

test('JSON is charged for its bulk only until its records are counted', async (t) => {
  const { post, sink, admission } = await start(t)
  sink.hold()
  const pending = post(JSON.stringify({ records: [{ record, signature: hex(signature) }] }))
  await until(() => sink.submissions.length === 1)
  assert.equal(admission.inFlight, 1)
  sink.release()
  assert.equal((await pending).status, 200)
})

test('a pipeline that does not answer costs the sender a 504, and keeps its place taken', async (t) => {
  const { post, sink, admission } = await start(t, { answerTimeoutMs: 50 })
  sink.hold()
  assert.deepEqual(await problem(await post(rowsOf(3))), [504, 'ANSWER_TIMEOUT'])
  assert.equal(admission.inFlight, 3)
  sink.release()
  await until(() => admission.inFlight === 0)
})

test('a body that does not come is cut off, and gives its place back', async (t) => {
  const { server, sink, admission } = await start(t, { limits: { requestTimeoutMs: 600, headersTimeoutMs: 300 } })
  const head = `POST /v1/lanes/1/records HTTP/1.1\r\nHost: x\r\nContent-Type: ${BINARY}\r\n`
  const began = performance.now()
  const answer = await raw(server.port, `${head}Content-Length: 880\r\n\r\nabc`, async () => {
    await until(() => admission.inFlight !== 0)
    assert.equal(admission.inFlight, 10)
  })
  assert.match(answer, /^HTTP\/1.1 408 .*REQUEST_TIMEOUT/s)
  await until(() => admission.inFlight <= 0)
  assert.ok(performance.now() - began < HOLD_MS, 'given back before the sender lets go')
  assert.match(await raw(server.port, 'POST /v1/la'), /^HTTP\/1.1 408 /)
  assert.deepEqual(sink.submissions, [])
})

test('a sender that hangs up in its body gives its place back', async (t) => {
  const { server, admission } = await start(t)
  const socket = connect(server.port, '127.0.0.1')
  socket.write(
    `POST /v1/lanes/1/records HTTP/1.1\r\nHost: x\r\nContent-Type: ${BINARY}\r\nContent-Length: 880\r\n\r\nabc`,
  )
  await until(() => admission.inFlight !== 0)
  socket.destroy()
  await until(() => admission.inFlight <= 0)
})

test('lengths that are missing, too large, or lies', async (t) => {
  const { server, sink } = await start(t)
  const head = `POST /v1/lanes/1/records HTTP/1.1\r\nHost: x\r\nContent-Type: ${BINARY}\r\n`
  const chunked = await raw(
    server.port,
    `${head}Transfer-Encoding: chunked\r\n\r\n58\r\n${'a'.repeat(88)}\r\n0\r\n\r\n`,
  )
  assert.match(chunked, /^HTTP\/1.1 411 .*LENGTH_REQUIRED/s)
  assert.match(chunked, /connection: close/i)
  const huge = await raw(server.port, `${head}Content-Length: 9999999999\r\n\r\n`)
  assert.match(huge, /^HTTP\/1.1 413 .*TOO_MANY_RECORDS/s)
  const long = await raw(server.port, `${head}X-Long: ${'a'.repeat(9_000)}\r\n\r\n`)
  assert.match(long, /^HTTP\/1.1 431 .*HEADERS_TOO_LARGE/s)
  assert.match(await raw(server.port, 'not http at all\r\n\r\n'), /^HTTP\/1.1 400 .*BAD_HTTP/s)
  assert.deepEqual(sink.submissions, [])
})

test('one host has a limit of connections', async (t) => {
  const { server, post } = await start(t, { limits: { maxHostConnections: 3 } })
  const sockets = []
  for (let i = 0; i < 3; i++) {
    const socket = connect(server.port, '127.0.0.1')
    const answered = new Promise((resolve) => socket.once('data', resolve))
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await answered
    sockets.push(socket)
  }
  assert.equal(await raw(server.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'), '')
  for (const socket of sockets) socket.destroy()
  await until(() =>
    post(rowsOf(1)).then(
      (response) => response.status === 200,
      () => false,
    ),
  )
})

test('what is under way is answered before the server stops', async (t) => {
  const { server, post, sink, admission } = await start(t)
  sink.hold()
  const pending = post(rowsOf(1))
  await until(() => admission.inFlight !== 0)
  const began = performance.now()
  const closed = server.close()
  await sleep(20)
  sink.release()
  assert.equal((await pending).status, 200)
  await closed
  assert.ok(performance.now() - began < HTTP_CLOSE_TIMEOUT_MS, 'nothing had to be cut off')
  await assert.rejects(post(rowsOf(1)))
})

test('a BLS lane takes longer rows, and signatures compressed or not', async (t) => {
  const { post, sink } = await start(t)
  sink.layouts = (lane) => (lane === 3 ? BLS_LAYOUT : lane === 4 ? P256_LAYOUT : undefined)
  const full = new Uint8Array(192).fill(7)
  const compressed = new Uint8Array(96).fill(0x97)
  const json = (...signatures: Uint8Array[]): Promise<Response> =>
    post(JSON.stringify({ records: signatures.map((bytes) => ({ record, signature: hex(bytes) })) }))
  assert.equal((await json(full, compressed)).status, 200)
  const { rows, count } = sink.submissions[0]!
  const padded = Buffer.concat([compressed, new Uint8Array(96)])
  assert.equal(count, 2)
  assert.equal(hex(rows), hex(Buffer.concat([encodeRecord(record), full, encodeRecord(record), padded])))
  const why = async (bytes: Uint8Array): Promise<string> => {
    const response = await json(full, bytes)
    const { code, message } = (await response.json()) as { code: string; message: string }
    assert.deepEqual([response.status, code], [400, 'BAD_RECORD'])
    return message
  }
  assert.match(await why(new Uint8Array(64)), /^records\[1\]\.signature: .*192 hex digits.*384/)
  assert.match(await why(new Uint8Array(96)), /without the flag of a compressed point/)
  assert.match(await why(new Uint8Array(192).fill(0xff)), /flags that no uncompressed point has/)

  assert.equal((await post(new Uint8Array(2 * 216))).status, 200)
  assert.deepEqual(await problem(await post(new Uint8Array(88))), [400, 'BAD_LENGTH'])
  assert.deepEqual(await problem(await post(new Uint8Array(216), {}, '4')), [400, 'BAD_LENGTH'])
  assert.deepEqual(await problem(await post(new Uint8Array(1_025 * 216))), [413, 'TOO_MANY_RECORDS'])
  assert.deepEqual(await problem(await post(new Uint8Array(216), {}, '5')), [404, 'UNKNOWN_LANE'])
  assert.equal(sink.submissions.length, 2)
})
