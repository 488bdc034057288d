import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDevnetBroker } from '../../../devnet/broker.ts'
import { openBrokerLink } from '../../../evse/mqtt/brokerLink.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { cuttableProxy } from '../../evse/support/cuttableProxy.ts'
import { until } from '../../support/until.ts'
import { rawClient } from './brokers.ts'
import { nameOf, plainBroker } from './site.ts'

test('what was read before a broker lost its sessions is not acknowledged to it after', {
  timeout: 240_000,
}, async (t) => {
  await using broker = await startDevnetBroker()
  await using proxy = await cuttableProxy()
  proxy.target = broker.port
  let passed = ''
  proxy.onNear = (bytes) => {
    passed += bytes.toString('latin1')
  }
  const taken: string[] = []
  const first = Promise.withResolvers<void>()
  const link = openBrokerLink({
    config: { ...plainBroker(`mqtt://127.0.0.1:${proxy.port}`), username: 'backfeed-gateway', protocol: '3.1.1' },
    clientId: 'gateway-records',
    sessionSeconds: 3_600,
    subscriptions: { 'backfeed/v1/+/+/records': 2 },
    maxWaiting: 1,
    onMessage: async (_topic, payload) => {
      taken.push(payload.toString())
      if (taken.length === 1) await first.promise
    },
    now: Date.now,
    log: silentLogger(),
  })
  t.after(() => link.close())
  assert.ok(await link.whenUp(60_000))
  const device = await rawClient(
    t,
    { ...plainBroker(broker.url), username: nameOf(0) },
    { clientId: 'device', version: 4 },
  )
  const send = (text: string): Promise<unknown> =>
    device.publishAsync(`backfeed/v1/3/${nameOf(0)}/records`, text, { qos: 2 })
  await Promise.all(['one', 'two', 'three'].map(send))
  await until(() => taken.length === 1)
  await until(() => passed.includes('three'))
  // Each goes once through what has arrived: the others have been read by then, and wait for the first.
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))

  await broker.restart()
  await until(() => !link.isUp)
  first.resolve()
  assert.ok(await link.whenUp(60_000))
  assert.deepEqual(taken, ['one', 'two', 'three'])
  assert.equal(proxy.carried(), 2, 'the broker let it in and cut it off again')
  await until(() => device.connected)
  await send('four')
  await until(() => taken.includes('four'))
})
