import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePrices } from '../../../devnet/replay/priceFile.ts'
import { parseSessions } from '../../../devnet/replay/sessionFile.ts'

const PRICE_HEADING = 'Datetime (he),DA Price ($/kWh),Reg Up Price ($/kW)'
const SESSION_HEADING =
  '"Start","End","Day","Weekend","Arrival","Charge.Duration","Idle.Duration","Park.Duration","Energy"'
const NEW_YEAR_PERIOD = Date.UTC(2020, 0, 1) / 900_000

test('a price stamped 1:00 is that of the hour that ends then', () => {
  const { nanoByPeriod, year } = parsePrices(`${PRICE_HEADING}\n1/1/2020 1:00,0.03331091,0\n1/1/2020 2:00,0.04,0`)
  assert.equal(year, 2020)
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((quarter) => nanoByPeriod.get(NEW_YEAR_PERIOD + quarter)),
    [33_310, 33_310, 33_310, 33_310, 40_000],
  )
})

test('midnight of the next year ends the last hour of the old one', () => {
  const { nanoByPeriod, year } = parsePrices(`${PRICE_HEADING}\n12/31/2020 23:00,0.01,0\n1/1/2021 0:00,0.02,0`)
  assert.equal(year, 2020)
  assert.equal(nanoByPeriod.get(Date.UTC(2020, 11, 31, 23, 45) / 900_000), 20_000)
  assert.equal(nanoByPeriod.has(Date.UTC(2021, 0, 1) / 900_000), false)
})

test('a negative price is no event, and so is one below 10^-9 a watt-hour', () => {
  const { nanoByPeriod, negativeHours } = parsePrices(
    `${PRICE_HEADING}\n1/1/2020 1:00,-0.01,0\n1/1/2020 2:00,0.0000009,0`,
  )
  assert.equal(nanoByPeriod.get(NEW_YEAR_PERIOD), 0)
  assert.equal(nanoByPeriod.get(NEW_YEAR_PERIOD + 4), 0)
  assert.equal(negativeHours, 1)
})

test('an hour that comes twice, as on the night when clocks go back, is refused', () => {
  assert.throws(() => parsePrices(`${PRICE_HEADING}\n11/1/2020 2:00,0.01,0\n11/1/2020 2:00,0.02,0`), /line 3.*already/)
})

test('an hour that is missing, as on the night when clocks go forward, has no price', () => {
  const { nanoByPeriod } = parsePrices(`${PRICE_HEADING}\n3/8/2020 2:00,0.01,0\n3/8/2020 4:00,0.02,0`)
  assert.equal(nanoByPeriod.has(Date.UTC(2020, 2, 8, 2) / 900_000), false)
  assert.equal(nanoByPeriod.get(Date.UTC(2020, 2, 8, 3) / 900_000), 20_000)
})

test('price files that cannot be meant are refused with their line', () => {
  assert.throws(() => parsePrices('a,b\n1,2'), /no column/)
  assert.throws(() => parsePrices(PRICE_HEADING), /no prices/)
  assert.throws(() => parsePrices(`${PRICE_HEADING}\n2/30/2020 1:00,0.01,0`), /line 2.*no such date/)
  assert.throws(() => parsePrices(`${PRICE_HEADING}\n1/1/2020 1:00,dear,0`), /line 2.*no price/)
  assert.throws(() => parsePrices(`${PRICE_HEADING}\n1/1/2020 1:00,67.2,0`), /line 2.*no room/)
  assert.throws(() => parsePrices(`${PRICE_HEADING}\n1/1/2020 1:00,1,0\n1/1/2019 2:00,1,0`), /line 3.*2019/)
})

test('sessions are read by column name, energy in watt-hours', () => {
  const [session] = parseSessions(
    `${SESSION_HEADING}\n2019-03-25 09:24:42,2019-03-25 18:32:12,"Monday",0,9.4,68.1,479.4,547.5,6.146\n`,
  )
  assert.deepEqual(session, {
    start: { year: 2019, month: 3, day: 25, secondOfDay: 33_882 },
    end: { year: 2019, month: 3, day: 25, secondOfDay: 66_732 },
    takenWh: 6_146,
    lineNumber: 2,
  })
})

test('sessions that cannot be meant are refused with their line', () => {
  const row = (start: string, end: string, energy: string): string =>
    `${SESSION_HEADING}\n${start},${end},"Monday",0,0,0,0,0,${energy}`
  assert.throws(() => parseSessions(row('2019-03-25 09:00:00', '2019-03-25 08:00:00', '1')), /line 2.*ends before/)
  assert.throws(() => parseSessions(row('2019-02-29 09:00:00', '2019-03-25 08:00:00', '1')), /line 2.*no such date/)
  assert.throws(() => parseSessions(row('2019-03-01 09:00:00', '2019-03-25 08:00:00', '1')), /more than a week/)
  assert.throws(() => parseSessions(row('2019-03-01 09:00:00', '2019-03-01 18:00:00', '-1')), /no energy/)
  assert.throws(() => parseSessions(row('1.3.2019', '2019-03-01 18:00:00', '1')), /YYYY-MM-DD/)
})
