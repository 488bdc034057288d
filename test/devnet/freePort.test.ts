import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { freePort } from '../../devnet/freePort.ts'
import { listenOnLoopback } from '../../devnet/loopback.ts'

test('a free port is none that the system chooses by itself, and nobody listens on it', async () => {
  for (let i = 0; i < 50; i++) {
    const port = await freePort()
    assert.ok(port < 32_768, `${port}`)
    const { close } = await listenOnLoopback(createServer(), port)
    await close()
    const refused = connect(port, '127.0.0.1')
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNREFUSED')
  }
})
