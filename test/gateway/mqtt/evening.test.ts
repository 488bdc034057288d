import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MqttEvse } from '../../../devnet/stations/mqttEvse.ts'
import { Random } from '../../support/generators/random.ts'
import { replay, seed } from '../../support/seed.ts'
import { BROKERS } from './brokers.ts'
import { Operator } from './operator.ts'
import { openEvse, openSite, quarter, type Site, temporaryFolder } from './site.ts'

// Brokers that crash, gateways that restart, links that are cut and rows that come twice, mixed by a seed.

const EVSES = 8
const ROWS = 40

for (const { name, skip, open } of BROKERS) {
  const title = `${name}: an evening of mishaps loses and doubles no watt-hour (${replay('test/gateway/mqtt/evening.test.ts')})`
  test(title, { skip, timeout: 300_000 }, async (t) => {
    const random = new Random(seed)
    const broker = await open(t)
    const folder = await temporaryFolder(t)
    const operator = new Operator()
    const openIt = (): Promise<Site> => openSite({ broker: broker.gateway, folder, evses: EVSES, operator })
    let site = await openIt()
    t.after(() => site.close())
    const evses: MqttEvse[] = []
    for (let slot = 0; slot < EVSES; slot++) {
      const evse = openEvse(slot, await broker.evse(slot), { telemetryHz: 5, timeoutMs: 700 })
      t.after(() => evse.close())
      evse.start()
      evses.push(evse)
    }
    const done = { cuts: 0, brokerCrashes: 0, gatewayRestarts: 0, repeats: 0 }
    const mishap = async (): Promise<void> => {
      const evse = evses[random.int(0, EVSES - 1)]!
      const which = random.int(0, 9)
      if (which < 4) {
        done.cuts++
        await evse.cutLink()
        await sleep(random.int(0, 50))
        evse.restore()
      } else if (which < 7) {
        done.repeats++
        // It may well be cut off meanwhile.
        await evse.repeat(random.int(1, 20)).catch(() => {})
      } else if (which < 9) {
        done.brokerCrashes++
        await broker.crash(random.int(0, 100))
      } else {
        done.gatewayRestarts++
        await site.close()
        site = await openIt()
      }
    }
    for (let row = 0; row < ROWS; row++) {
      for (const evse of evses) evse.feed(quarter(ROWS - row))
      if (row % 4 === 0) await mishap()
      await sleep(random.int(0, 30))
    }
    await Promise.all(evses.map((evse) => evse.whenDelivered()))
    const meteredWh = evses.reduce((sum, evse) => sum + evse.meteredWh, 0)
    assert.equal(operator.creditedWh, meteredWh)
    assert.equal(operator.credited.size, EVSES * ROWS)
    assert.ok(
      evses.every(({ answers }) => answers.length === ROWS && answers.every(({ receipt }) => receipt !== undefined)),
    )
    t.diagnostic(`${JSON.stringify(done)}, ${operator.asked} rows asked, ${meteredWh} Wh`)
  })
}
