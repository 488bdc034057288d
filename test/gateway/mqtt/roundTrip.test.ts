import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outcome } from '../../../protocol/outcome.ts'
import { DUPLICATE } from '../../../protocol/wire.ts'
import { until } from '../../support/until.ts'
import { BROKERS } from './brokers.ts'
import { Operator } from './operator.ts'
import { openEvse, openSite, quarter, temporaryFolder } from './site.ts'

// From a signed record to its checked receipt, over both brokers.

for (const { name, skip, open } of BROKERS) {
  test(`${name}: records become receipts, telemetry and commands pass`, { skip, timeout: 240_000 }, async (t) => {
    const brokers = await open(t)
    const operator = new Operator()
    const site = await openSite({ broker: brokers.gateway, folder: await temporaryFolder(t), evses: 2, operator })
    t.after(() => site.close())
    assert.ok(await site.source.whenUp(60_000), JSON.stringify(site.source.status()))
    assert.equal(site.source.status().figures.protocol, brokers.protocol)

    const evse = openEvse(0, await brokers.evse(0), { telemetryHz: 20 })
    t.after(() => evse.close())
    evse.start()
    for (let i = 0; i < 200; i++) evse.feed(quarter(i))
    await evse.whenDelivered()
    assert.equal(evse.answers.length, 200)
    assert.ok(evse.answers.every(({ code, receipt }) => code === Outcome.SETTLED && receipt !== undefined))
    assert.equal(operator.creditedWh, evse.meteredWh)

    // A device that asks again is given what was kept, without the sequencer.
    const { asked } = operator
    const again = await evse.repeat(70)
    assert.equal(again.length, 70)
    assert.deepEqual(again, evse.answers.slice(-70))
    assert.equal(operator.asked, asked)
    assert.ok(again.every(({ code }) => code === Outcome.SETTLED || code === DUPLICATE))

    await until(() => site.telemetry.length >= 5)
    for (const { evse: from, telemetry, cameMs } of site.telemetry) {
      assert.equal(from, 'evse-0')
      const ageMs = cameMs - telemetry.atMs
      assert.ok(ageMs >= 0 && ageMs < 10_000, String(ageMs))
    }

    evse.powerW = 9_000
    const { signal } = new AbortController()
    assert.equal(await site.source.commands.setLimit('evse-0', 4_000, signal), 'ACCEPTED')
    assert.equal(evse.powerW, 4_000)
    assert.equal(await site.source.commands.stop('evse-0', 'TELEMETRY_STALE', signal), 'ACCEPTED')
    assert.equal(evse.stopReason, 'TELEMETRY_STALE')
    assert.equal(await site.source.commands.setLimit('nobody', 1, signal), 'UNREACHABLE')
    await evse.cutLink()
    await until(() => site.source.status().figures.online === 0)
    assert.equal(await site.source.commands.setLimit('evse-0', 1, signal), 'UNREACHABLE')
    assert.equal(site.source.status().state, 'UP')
  })
}
