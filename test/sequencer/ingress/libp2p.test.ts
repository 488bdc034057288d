import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import {
  AnswerStatus,
  decodeAnswer,
  encodeRequestFrame,
  FrameReader,
  MAX_ANSWER_FRAME_BYTES,
  RECORDS_PROTOCOL,
  type RecordAnswer,
} from '../../../protocol/wire.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { BLS_LAYOUT, P256_LAYOUT } from '../../../protocol/scheme.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { Admission, type AdmissionLimits } from '../../../sequencer/ingress/admission.ts'
import { Intake } from '../../../sequencer/ingress/intake.ts'
import { type Libp2pSettings, startLibp2pIngress } from '../../../sequencer/ingress/libp2p.ts'
import { createIngressMetrics } from '../../../sequencer/ingress/metrics.ts'
import { FakeSink, rowsOf } from '../support/fakeSink.ts'
import { until } from '../../support/until.ts'

type Settings = Partial<Libp2pSettings> & { admission?: Partial<AdmissionLimits> }

async function start(t: TestContext, settings: Settings = {}) {
  const { admission: admissionLimits, ...rest } = settings
  const folder = await mkdtemp(join(tmpdir(), 'backfeed-'))
  const sink = new FakeSink()
  const metrics = createMetrics({ service: 'test', process: false })
  const admission = new Admission(admissionLimits)
  const log = silentLogger()
  const intake = new Intake({ sink, admission, metrics: createIngressMetrics(metrics, () => admission.inFlight), log })
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const ingress = await startLibp2pIngress({ listen, keyFile: join(folder, 'peer.key'), intake, log, ...rest })
  t.after(async () => {
    sink.release()
    await ingress.close()
    await rm(folder, { recursive: true })
  })
  return { sink, metrics, admission, ingress, folder, address: ingress.multiaddrs[0]! }
}

/** A bare peer, which can send what the real client never would. */
async function dial(t: TestContext, address: string) {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  t.after(() => node.stop())
  const connection = await node.dial(multiaddr(address))
  const stream = await connection.newStream(RECORDS_PROTOCOL)
  return { node, connection, stream, answers: collect(stream), ended: endOf(stream) }
}

function collect(stream: Stream): RecordAnswer[] {
  const reader = new FrameReader(MAX_ANSWER_FRAME_BYTES)
  const answers: RecordAnswer[] = []
  stream.addEventListener('message', ({ data }) => {
    reader.push(data instanceof Uint8Array ? data : data.subarray())
    for (let frame = reader.takeFrame(); frame !== undefined; frame = reader.takeFrame()) {
      assert.notEqual(frame, 'BAD_LENGTH')
      answers.push(decodeAnswer(frame as Uint8Array)!)
    }
  })
  return answers
}

function endOf(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    stream.addEventListener('close', () => resolve())
    stream.addEventListener('remoteCloseWrite', () => resolve())
  })
}

test('requests in flight are answered by their ids, cut or joined as the network likes', async (t) => {
  const { sink, address, metrics } = await start(t)
  const { stream, answers } = await dial(t, address)
  const frames = Buffer.concat(
    [1, 2, 3].map((id) => encodeRequestFrame({ requestId: id, lane: 5, rows: rowsOf(id, id) })),
  )
  for (let at = 0; at < frames.length; at += 100) {
    stream.send(frames.subarray(at, at + 100))
    if (at % 300 === 0) await sleep(1)
  }
  await until(() => answers.length === 3)
  assert.deepEqual(
    sink.submissions.map(({ lane, count, rows }) => [lane, count, [...rows]]),
    [1, 2, 3].map((id) => [5, id, [...rowsOf(id, id)]]),
  )
  assert.deepEqual(
    answers.map((answer) => [answer.requestId, answer.status, 'results' in answer && answer.results.length]),
    [
      [1, 0, 16],
      [2, 0, 32],
      [3, 0, 48],
    ],
  )
  assert.match(await metrics.text(), /backfeed_ingress_streams\{.*\} 1/)
})

test('a pipeline that stalls stops the reading: a bounded part of what is sent is taken in', async (t) => {
  const { sink, address, admission } = await start(t, {
    limits: { maxStreamRequests: 3 },
    admission: { maxRecords: 100_000, maxPeerRecords: 50_000 },
  })
  const { stream, answers } = await dial(t, address)
  sink.hold()
  const total = 200
  const frame = (id: number): Uint8Array => encodeRequestFrame({ requestId: id, lane: 5, rows: rowsOf(1_024) })
  for (let id = 1; id <= total; id++) stream.send(frame(id))
  await until(() => sink.submissions.length === 3)
  await sleep(300) // more would come now
  assert.equal(sink.submissions.length, 3)
  assert.equal(admission.inFlight, 3 * 1_024)
  // 18 MB were sent; the sequencer's windows and three requests are what left this side.
  const kept = stream.writeBufferLength
  assert.ok(kept > total * frame(1).length - 1_000_000, `${kept} bytes still here`)
  assert.ok(stream.writableNeedsDrain)
  sink.release()
  await until(() => answers.length === total)
  assert.deepEqual(
    answers.map(({ requestId }) => requestId),
    Array.from({ length: total }, (_, i) => i + 1),
  )
  assert.equal(admission.inFlight, 0)
})

test('a peer that does not read its answers is read no further', async (t) => {
  const { sink, address } = await start(t)
  const { stream } = await dial(t, address)
  stream.pause()
  const frame = encodeRequestFrame({ requestId: 1, lane: 5, rows: rowsOf(64) }) // 5.6 KB for 1 KB of answer
  for (let i = 0; i < 2_000; i++) stream.send(frame)
  let taken = 0
  do {
    taken = sink.submissions.length
    await sleep(300)
  } while (taken === 0 || sink.submissions.length > taken)
  assert.ok(taken < 800, `${taken} requests were taken`)
  stream.resume()
  await until(() => sink.submissions.length === 2_000)
})

test('refusals say why and when to come back', async (t) => {
  const { sink, address, admission } = await start(t, { admission: { maxRecords: 40, maxPeerRecords: 20 } })
  const { stream, answers } = await dial(t, address)
  const send = async (count: number): Promise<RecordAnswer> => {
    const before = answers.length
    stream.send(encodeRequestFrame({ requestId: before + 1, lane: 5, rows: rowsOf(count) }))
    await until(() => answers.length > before)
    return answers.at(-1)!
  }
  assert.deepEqual(await send(21), { requestId: 1, status: AnswerStatus.OVERLOADED, retryAfterMs: 1_000 })
  sink.refusal = { refusal: { code: 'NOT_ACCEPTING', message: 'starting', retryAfterMs: 700 } }
  assert.deepEqual(await send(1), { requestId: 2, status: AnswerStatus.NOT_ACCEPTING, retryAfterMs: 700 })
  sink.refusal = { refusal: { code: 'UNKNOWN_LANE', message: 'none', retryAfterMs: 0 } }
  assert.deepEqual(await send(1), { requestId: 3, status: AnswerStatus.UNKNOWN_LANE, retryAfterMs: 0 })
  sink.refusal = undefined
  assert.equal((await send(1)).status, AnswerStatus.RESULTS)
  assert.equal(admission.inFlight, 0)
})

test('a bad frame is answered, then the stream ends; what was good before is answered first', async (t) => {
  const bad = {
    tooLong: Uint8Array.of(0xff, 0xff, 0xff, 0xff),
    zero: Uint8Array.of(0, 0, 0, 0),
    noRows: Uint8Array.of(0, 0, 0, 8, 0, 0, 0, 77, 0, 0, 0, 5),
    partRow: Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 77, 0, 0, 0, 5, 1),
  }
  const { sink, address, metrics } = await start(t)
  for (const [name, bytes] of Object.entries(bad)) {
    sink.hold()
    const { stream, answers, ended } = await dial(t, address)
    stream.send(encodeRequestFrame({ requestId: 1, lane: 5, rows: rowsOf(1) }))
    stream.send(bytes)
    await until(() => sink.submissions.length === 1)
    await sleep(20)
    sink.release()
    await ended
    assert.deepEqual(
      answers.map(({ requestId, status }) => [requestId, status]).sort((a, b) => a[1]! - b[1]!),
      [
        [1, AnswerStatus.RESULTS],
        [name === 'noRows' || name === 'partRow' ? 77 : 0, AnswerStatus.BAD_FRAME],
      ],
      name,
    )
    sink.submissions.length = 0
  }
  assert.match(await metrics.text(), /refused_total\{transport="libp2p",reason="BAD_FRAME".*\} 4/)
})

test('a peer that ends its side gets all its answers, also to what had not been read yet', async (t) => {
  const { sink, address, metrics } = await start(t, { limits: { maxStreamRequests: 2 } })
  const { stream, answers, ended } = await dial(t, address)
  sink.hold()
  for (let id = 1; id <= 10; id++) stream.send(encodeRequestFrame({ requestId: id, lane: 5, rows: rowsOf(500) }))
  const closed = stream.close()
  await until(() => sink.submissions.length === 2)
  await sleep(50)
  sink.release()
  await closed
  await ended
  assert.equal(answers.length, 10)
  await until(async () => /backfeed_ingress_streams\{.*\} 0/.test(await metrics.text()))
})

test('a bad frame behind what cannot be read yet, from a peer that has ended: its stream ends, nothing else', async (t) => {
  const { sink, address } = await start(t, { limits: { maxStreamRequests: 1 } })
  const { stream, answers, ended } = await dial(t, address)
  sink.hold()
  stream.send(encodeRequestFrame({ requestId: 1, lane: 5, rows: rowsOf(1) }))
  stream.send(Uint8Array.of(0, 0, 0, 0, 1))
  await stream.close()
  await until(() => sink.submissions.length === 1)
  await sleep(20)
  sink.release()
  await ended
  assert.deepEqual(
    answers.map(({ status }) => status),
    [AnswerStatus.RESULTS, AnswerStatus.BAD_FRAME],
  )
})

test('a frame that does not come to its end is not waited for; an idle stream is', async (t) => {
  const { address, metrics } = await start(t, { limits: { frameTimeoutMs: 100 } })
  const idle = await dial(t, address)
  const stalled = await dial(t, address)
  stalled.stream.send(Uint8Array.of(0, 0, 0, 96, 1))
  await stalled.ended
  assert.match(await metrics.text(), /refused_total\{transport="libp2p",reason="STALLED".*\} 1/)
  idle.stream.send(encodeRequestFrame({ requestId: 1, lane: 5, rows: rowsOf(1) }))
  await until(() => idle.answers.length === 1)
})

test('a wall clock that is set forward ends no stream in the midst of a frame', async (t) => {
  const { address, sink } = await start(t, { limits: { frameTimeoutMs: 300_000 } })
  const { stream, answers } = await dial(t, address)
  const frame = encodeRequestFrame({ requestId: 1, lane: 5, rows: rowsOf(1) })
  stream.send(frame.subarray(0, 10))
  await sleep(300) // it has begun there
  const now = Date.now
  t.mock.method(Date, 'now', () => now() + 3_600_000)
  await sleep(2_500) // it is looked at once a second
  assert.equal(stream.status, 'open')
  stream.send(frame.subarray(10))
  await until(() => answers.length === 1)
  assert.equal(sink.submissions.length, 1)
})

test('a peer that goes away with requests under way gives its share back', async (t) => {
  const { sink, address, admission } = await start(t)
  const { stream, node } = await dial(t, address)
  sink.hold()
  stream.send(encodeRequestFrame({ requestId: 9, lane: 5, rows: rowsOf(2) }))
  await until(() => admission.inFlight === 2)
  await node.stop()
  sink.release()
  await until(() => admission.inFlight === 0)
})

test('streams of a connection and connections of a host are limited', async (t) => {
  const { address } = await start(t, {
    limits: { maxConnections: 50, maxHostConnections: 2, connectionsPerSecond: 50 },
  })
  const { connection } = await dial(t, address)
  await connection.newStream(RECORDS_PROTOCOL)
  const third = await connection.newStream(RECORDS_PROTOCOL).catch(() => undefined)
  await until(() => third === undefined || third.status !== 'open')
  const second = await dial(t, address)
  await assert.rejects(dial(t, address))
  await second.node.stop()
  await until(() =>
    dial(t, address).then(
      () => true,
      () => false,
    ),
  )
})

test('networks of known gateways have no limit of connections', async (t) => {
  const { address } = await start(t, {
    allow: ['/ip4/127.0.0.0/ipcidr/8'],
    limits: { maxConnections: 50, maxHostConnections: 1, connectionsPerSecond: 1 },
  })
  for (let i = 0; i < 4; i++) await dial(t, address)
})

test('the identity lasts; a damaged key file is never replaced', async (t) => {
  const { ingress, folder } = await start(t)
  const keyFile = join(folder, 'peer.key')
  assert.equal((await stat(keyFile)).mode & 0o777, 0o600)
  assert.ok(ingress.multiaddrs[0]!.endsWith(`/p2p/${ingress.peerId}`))
  const key = await readFile(keyFile, 'utf8')
  await writeFile(join(folder, 'copy.key'), key)
  const second = await start(t, { keyFile: join(folder, 'copy.key') })
  assert.equal(second.ingress.peerId, ingress.peerId)
  await writeFile(keyFile, 'not a key')
  await assert.rejects(start(t, { keyFile }), (error) => isBackfeedError(error, 'PEER_KEY_UNREADABLE'))
  assert.equal(await readFile(keyFile, 'utf8'), 'not a key')
})

test('a stream carries rows of lanes of either scheme; a lane that is not served here is said so', async (t) => {
  const { sink, address } = await start(t)
  sink.layouts = (lane) => [P256_LAYOUT, BLS_LAYOUT][lane]
  const { stream, answers, ended } = await dial(t, address)
  const send = (requestId: number, lane: number, bytes: number): void => {
    stream.send(encodeRequestFrame({ requestId, lane, rows: new Uint8Array(bytes).fill(requestId) }))
  }
  send(1, 0, 2 * 88)
  send(2, 1, 3 * 216)
  send(3, 2, 88)
  await until(() => answers.length === 3)
  assert.deepEqual(
    sink.submissions.map(({ lane, count }) => [lane, count]),
    [
      [0, 2],
      [1, 3],
    ],
  )
  const status = new Map(answers.map((answer) => [answer.requestId, answer.status]))
  assert.deepEqual([status.get(1), status.get(2), status.get(3)], [0, 0, AnswerStatus.UNKNOWN_LANE])
  send(4, 1, 88)
  await ended
  assert.equal(answers.at(-1)!.status, AnswerStatus.BAD_FRAME)
})
