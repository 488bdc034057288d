import assert from 'node:assert/strict'
import { test } from 'node:test'
import { play } from '../support/commandLine.ts'
import { byNight } from '../support/nightly.ts'
import { replay, seed } from '../support/seed.ts'

interface Evening {
  readonly ocpp: number
  readonly mqtt: number
  readonly periods: number
  readonly kills: number
  readonly brokerRestarts: number
}

async function playEvening({ ocpp, mqtt, periods, kills, brokerRestarts }: Evening): Promise<string> {
  const size = ['--ocpp', ocpp, '--mqtt', mqtt, '--periods', periods, '--kills', kills].map(String)
  const parameters = ['devnet', 'evening', '--seed', String(seed), ...size, '--broker-restarts', String(brokerRestarts)]
  const { code, output, left } = await play(parameters)
  assert.equal(code, 0, `${replay('test/e2e/evening.test.ts')}: ${output}`)
  assert.match(output, new RegExp(`${kills} kills of the gateway, ${brokerRestarts} restarts of the broker`), output)
  assert.match(output, /Every watt-hour that was metered is credited once/, output)
  assert.deepEqual(left, [], 'nothing is left on disk')
  for (const [, url] of output.matchAll(/(?:L1 node|gateway) at (http:\/\/[0-9.:]+)/g)) {
    await assert.rejects(fetch(url!), `${url} still answers`)
  }
  return output
}

test('what an evening’s meters say is on L1 to the watt-hour, though the gateway is killed and links are cut', {
  timeout: 600_000,
}, async () => {
  await playEvening({ ocpp: 12, mqtt: 12, periods: 3, kills: 2, brokerRestarts: 1 })
})

test('a full evening: 100 OCPP stations and 100 MQTT chargers', { timeout: 1_800_000, skip: byNight }, async () => {
  const output = await playEvening({ ocpp: 100, mqtt: 100, periods: 8, kills: 5, brokerRestarts: 3 })
  assert.match(output, /200 chargers/)
})
