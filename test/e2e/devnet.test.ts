import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runDevnet } from '../../devnet/devnet.ts'
import { independentCredits } from '../../devnet/independent/independentSettlement.ts'
import { scenarioDischarges } from '../../devnet/scenario.ts'
import { Screen } from '../../devnet/screen.ts'
import { seededScenario } from '../../devnet/seededScenario.ts'
import { play } from '../support/commandLine.ts'
import { REAL_PRICES, REAL_SESSIONS, sharedData, skipWithout } from '../support/sharedData.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const PRICE_HEADING = 'Datetime (he),DA Price ($/kWh),Reg Up Price ($/kW)'
const SESSION_HEADING = 'Start,End,Day,Weekend,Arrival,Charge.Duration,Idle.Duration,Park.Duration,Energy'

/** The node's address as the run printed it answers no more. */
async function assertNodeGone(output: string): Promise<void> {
  const url = /L1 node at (http:\S+),/.exec(output)?.[1]
  assert.ok(url !== undefined, output)
  for (let attempt = 0; ; attempt++) {
    try {
      await fetch(url)
    } catch {
      return
    }
    assert.ok(attempt < 50, 'the L1 node still answers')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function pricesOfDays(days: number): string {
  const lines = [PRICE_HEADING]
  for (let hour = 1; hour <= 24 * days; hour++) {
    const price = hour % 24 === 12 ? '-0.004' : (0.02 + (hour % 24) / 1_000).toFixed(8)
    lines.push(`1/${1 + Math.floor(hour / 24)}/2020 ${hour % 24}:00,${price},0`)
  }
  return lines.join('\n')
}

test('three days of stays on blobs: every owner is paid what is owed, and nothing is left behind', {
  timeout: 400_000,
}, async () => {
  await using files = await temporaryFolder()
  const sessions = join(files.path, 'sessions.csv')
  const prices = join(files.path, 'prices.csv')
  const stays = [
    '2019-01-01 08:03:00,2019-01-01 17:40:10,"Tuesday",0,0,0,0,0,12.345',
    '2021-01-01 08:30:00,2021-01-01 12:00:00,"Friday",0,0,0,0,0,40.5', // another year, the same day: beside the first car
    '2019-01-01 18:00:00,2019-01-02 07:10:00,"Tuesday",0,0,0,0,0,9.1', // over midnight
    '2020-01-03 09:00:00,2020-01-03 09:10:00,"Friday",0,0,0,0,0,0.6', // no whole quarter
    '2019-01-03 10:00:00,2019-01-03 12:30:00,"Thursday",0,0,0,0,0,3.3',
  ]
  writeFileSync(sessions, [SESSION_HEADING, ...stays].join('\n'))
  writeFileSync(prices, pricesOfDays(4))
  const { code, output, left } = await play(['devnet', '--sessions', sessions, '--prices', prices, '--days', '3'])
  assert.equal(code, 0, output)
  assert.match(output, /5 sessions at 2 chargers on the prices of 2020/)
  assert.match(output, /to 4 owners/)
  assert.match(output, /Everything agrees/)
  assert.deepEqual(left, [])
  await assertNodeGone(output)
})

test('two weeks of real stays on real prices', {
  timeout: 400_000,
  skip: skipWithout(REAL_SESSIONS, REAL_PRICES),
}, async () => {
  const files = ['--sessions', sharedData(REAL_SESSIONS), '--prices', sharedData(REAL_PRICES)]
  const { code, output } = await play(['devnet', ...files, '--first-day', '180', '--days', '14'])
  assert.equal(code, 0, output)
  assert.match(output, /Everything agrees/)
})

test('a run whose books differ by a millionth says so', { timeout: 400_000 }, async () => {
  const scenario = seededScenario({ seed: 'twin', evseCount: 3, minutes: 15 })
  const prices = new Map(
    scenario.prices.flatMap(({ firstPeriod, nano }) => nano.map((p, i) => [firstPeriod + i, p] as const)),
  )
  const honest = independentCredits(scenarioDischarges(scenario), {
    ...scenario.tariff,
    priceNano: (period) => BigInt(prices.get(Number(period)) ?? 0),
    incentiveBps: (contract) => BigInt(scenario.cars[contract]!.incentiveBps),
  })
  const [car, owed] = [...honest.creditedMicro][0]!
  const independent = {
    ...honest,
    totalMicro: honest.totalMicro + 1n,
    creditedMicro: new Map([...honest.creditedMicro, [car, owed + 1n]]),
  }
  const found = await runDevnet({
    seed: 'twin',
    scenario,
    independent,
    data: 'calldata',
    logLevel: 'warn',
    screen: new Screen(),
    signal: new AbortController().signal,
  })
  assert.equal(found.length, 3, found.join('\n'))
  assert.match(found[0]!, new RegExp(`^car ${car} was credited`))
  assert.match(found[1]!, new RegExp(`^car ${car}'s owner was paid`))
  assert.match(found[2]!, /was paid in all/)
})

test('Ctrl-C in the middle ends everything', { timeout: 400_000 }, async () => {
  let isInterrupted = false
  const { code, output, left } = await play(
    ['devnet', '--evses', '5', '--minutes', '240', '--data', 'calldata'],
    (soFar, child) => {
      if (isInterrupted || !soFar.includes('Cars feed back')) return
      isInterrupted = true
      child.kill('SIGINT')
    },
  )
  assert.equal(code, 130, output)
  assert.deepEqual(left, [])
  await assertNodeGone(output)
})

test('a devnet that is killed leaves no L1 node behind', { timeout: 400_000 }, async () => {
  const { output } = await play(
    ['devnet', '--evses', '5', '--minutes', '240', '--data', 'calldata'],
    (soFar, child) => {
      if (soFar.includes('contracts deployed')) child.kill('SIGKILL')
    },
  )
  await assertNodeGone(output)
})
