import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { type Attempt, judgeAnswer, Poster, readRetryAfter } from '../../../runtime/webhooks/attempt.ts'

const NOW_MS = Date.UTC(2026, 10, 22, 12)

test('what an answer means', () => {
  const kinds = (...statuses: number[]): string[] =>
    statuses.map((status) => {
      const attempt = judgeAnswer(status, undefined, NOW_MS)
      return attempt.kind === 'REFUSED' ? `${attempt.kind} ${attempt.of}` : attempt.kind
    })
  assert.deepEqual(new Set(kinds(200, 201, 202, 204, 299)), new Set(['ACKNOWLEDGED']))
  assert.deepEqual(new Set(kinds(500, 502, 503, 504, 408, 425, 429)), new Set(['FAILED']))
  assert.deepEqual(new Set(kinds(400, 409, 413, 415, 422)), new Set(['REFUSED EVENT']))
  assert.deepEqual(new Set(kinds(301, 302, 304, 307, 308, 401, 403, 404, 405)), new Set(['REFUSED ENDPOINT']))
  assert.deepEqual(kinds(410), ['GONE'])
  assert.deepEqual(judgeAnswer(429, '7', NOW_MS), { kind: 'FAILED', why: 'it answers 429', retryAfterMs: 7_000 })
})

test('Retry-After is seconds or a date, and never longer than a day', () => {
  assert.equal(readRetryAfter('120', NOW_MS), 120_000)
  assert.equal(readRetryAfter(new Date(NOW_MS + 30_000).toUTCString(), NOW_MS), 30_000)
  assert.equal(readRetryAfter(new Date(NOW_MS - 30_000).toUTCString(), NOW_MS), 0)
  assert.equal(readRetryAfter('99999999999', NOW_MS), 86_400_000)
  for (const text of [undefined, '', 'soon', '-5', '1e9']) assert.equal(readRetryAfter(text, NOW_MS), 0, text)
})

/** What comes of a POST to a server that says these bytes. */
async function postTo(speak: (socket: Socket) => void, timeoutMs = 5_000): Promise<Attempt> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => speak(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const poster = new Poster(`http://127.0.0.1:${port}/hook`)
  try {
    return await poster.post({ headers: {}, body: '{}', timeoutMs, signal: new AbortController().signal })
  } finally {
    poster.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

const answering = (text: string) => postTo((socket) => socket.end(text))

test('a server that hangs, cuts, lies or speaks something else acknowledges nothing', async () => {
  for (const attempt of [
    await postTo(() => {}, 30),
    await postTo((socket) => socket.destroy()),
    await postTo((socket) => socket.end()),
    await answering('SSH-2.0-OpenSSH_9.6\r\n'),
    await answering('HTTP/1.1 20x OK\r\n\r\n'),
    await answering('HTTP/1.1 100 Continue\r\n\r\n'),
    await answering('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'),
    await answering(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`),
    await postTo((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-len'), 30),
  ])
    assert.equal(attempt.kind, 'FAILED')
})

test('the head of an answer is the answer, whatever its body does', async () => {
  for (const body of [
    'content-length: 10\r\n\r\nabc',
    `content-length: 200000\r\n\r\n${'x'.repeat(200_000)}`,
    '\r\nendless',
  ]) {
    const attempt = await postTo((socket) => socket.write(`HTTP/1.1 200 OK\r\n${body}`), 1_000)
    assert.equal(attempt.kind, 'ACKNOWLEDGED', body.slice(0, 20))
  }
})

test('nobody there is a failure, and a stop is none', async () => {
  const poster = new Poster('http://127.0.0.1:1/')
  const signal = new AbortController().signal
  assert.equal((await poster.post({ headers: {}, body: '{}', timeoutMs: 1_000, signal })).kind, 'FAILED')
  await assert.rejects(poster.post({ headers: {}, body: '{}', timeoutMs: 1_000, signal: AbortSignal.abort() }))
})
