import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/until.ts'
import { BROKERS, type TestBroker } from './brokers.ts'
import { openIdleLink, openSite, plainBroker, type Site, temporaryFolder } from './site.ts'

// Two that go by one name at the broker cut each other off, over and over: nothing is lost, and much is late.

const codesOf = ({ source }: Site): string[] => source.status().problems.map(({ code }) => code)

async function twoGateways(t: TestContext, broker: TestBroker, ids: readonly [string, string]): Promise<[Site, Site]> {
  const open = async (clientId: string): Promise<Site> => {
    const site = await openSite({ broker: broker.gateway, folder: await temporaryFolder(t), evses: 1, clientId })
    t.after(() => site.close())
    assert.ok(await site.source.whenUp(60_000))
    return site
  }
  return [await open(ids[0]), await open(ids[1])]
}

for (const { name, skip, open } of BROKERS.filter(({ name }) => name !== 'aedes over TLS')) {
  test(`${name}: two gateways of one client id both say so`, {
    skip,
    timeout: 240_000,
  }, async (t) => {
    const sites = await twoGateways(t, await open(t), ['backfeed-gateway', 'backfeed-gateway'])
    // Waits of 0.5, 1 and 2 s of either, give or take a half.
    while (!sites.every((site) => codesOf(site).includes('MQTT_CUT_SHORT'))) {
      await sleep(20, undefined, { signal: t.signal })
    }
    for (const { source } of sites) {
      const { state, problems } = source.status()
      assert.notEqual(state, 'UP')
      assert.match(problems.find(({ code }) => code === 'MQTT_CUT_SHORT')!.message, /backfeed-gateway-(live|records)/)
    }
  })

  test(`${name}: two gateways of two client ids are no rivals, whatever becomes of the broker`, {
    skip,
    timeout: 240_000,
  }, async (t) => {
    const broker = await open(t)
    const sites = await twoGateways(t, broker, ['north', 'south'])
    for (let restarts = 0; restarts < 2; restarts++) {
      await broker.crash(50)
      for (const site of sites) {
        await until(() => site.source.status().state === 'UP')
        assert.deepEqual(codesOf(site), [])
      }
    }
  })
}

test('a broker of MQTT 5 that says who took over is believed at once', { timeout: 240_000 }, async (t) => {
  const [CONNACK, TAKEN_OVER] = [Buffer.from('2003000000', 'hex'), Buffer.from('e0028e00', 'hex')]
  const broker = createServer((socket) => {
    socket.once('data', () => {
      socket.write(CONNACK)
      socket.end(TAKEN_OVER)
    })
    socket.on('error', () => {})
  })
  t.after(() => broker.close())
  await once(broker.listen(0, '127.0.0.1'), 'listening')
  const link = openIdleLink(t, plainBroker(`mqtt://127.0.0.1:${(broker.address() as AddressInfo).port}`), {
    clientId: 'gateway-live',
  })
  await until(() => link.fault?.code === 'MQTT_CLIENT_ID_SHARED')
  assert.match(link.fault!.message, /gateway-live/)
})
