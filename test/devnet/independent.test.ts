import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { independentReplay } from '../../devnet/independent/independentReplay.ts'
import { independentCredits, type PlainRecord } from '../../devnet/independent/independentSettlement.ts'
import { parsePrices } from '../../devnet/replay/priceFile.ts'
import { defaultDischargeRule, replayScenario } from '../../devnet/replay/replayScenario.ts'
import { parseSessions } from '../../devnet/replay/sessionFile.ts'
import { scenarioDischarges } from '../../devnet/scenario.ts'
import { devnetTariff } from '../../devnet/terms.ts'
import { fc } from '../support/property.ts'
import { REAL_PRICES, REAL_SESSIONS, sharedData, skipWithout } from '../support/sharedData.ts'

const terms = { priceNano: () => 33_310n, incentiveBps: () => 10_000n, ...devnetTariff }
const record: PlainRecord = { evse: 0, contract: 0, start: 60_000, intervals: 60, energyWh: 1_650, tempC: 30 }

test('one record by hand: 1 650 Wh in 15 minutes at $0.03331/kWh', () => {
  // 6 600 W: second row of powers; 60 intervals: first column: 105 %. 1 650 × 33 310 / 1 000 = 54 961, × 1.05 = 57 709.
  assert.equal(independentCredits([record], terms).totalMicro, 57_709n)
})

test('a session goes on only without a gap and for the same contract', () => {
  const quarters = (count: number, change: Partial<PlainRecord> = {}): PlainRecord[] =>
    Array.from({ length: count }, (_, i) => ({ ...record, start: record.start + 60 * i, ...(i === 3 ? change : {}) }))
  const total = (records: readonly PlainRecord[]): bigint => independentCredits(records, terms).totalMicro
  // The fourth quarter reaches 240 intervals: 110 % instead of 105 %.
  assert.equal(total(quarters(4)), 3n * 57_709n + 60_457n)
  assert.equal(total(quarters(4, { start: record.start + 240 })), 4n * 57_709n)
  assert.equal(total(quarters(4, { contract: 1 })), 4n * 57_709n)
})

test('heat lowers and ends what is paid; no event pays nothing', () => {
  assert.equal(independentCredits([{ ...record, tempC: 45 }], terms).totalMicro, 54_823n) // 9 975 bps of 54 961
  assert.equal(independentCredits([{ ...record, tempC: 60 }], terms).worthless, 1)
  assert.equal(independentCredits([{ ...record, tempC: 200 }], terms).worthless, 1)
  assert.equal(independentCredits([record], { ...terms, priceNano: () => 0n }).worthless, 1)
})

test('a charger that measures a moment twice is a fault of the plan, not of the money', () => {
  assert.throws(() => independentCredits([record, { ...record, start: record.start + 59 }], terms), /twice/)
})

/** Both calculations over the same two files: what each charger measured, and what every owner is owed. */
function compare(sessions: string, prices: string, days: { firstDay: number; dayCount: number }): void {
  const scenario = replayScenario(
    { sessions: parseSessions(sessions), prices: parsePrices(prices) },
    { rule: defaultDischargeRule, days },
  )
  const independent = independentReplay(
    { sessions, prices },
    { ...defaultDischargeRule, days: { from: days.firstDay, to: days.firstDay + days.dayCount } },
  )
  const key = (one: PlainRecord): string => [one.contract, one.start, one.intervals, one.energyWh, one.tempC].join(' ')
  assert.equal(scenario.cars.length, independent.sessions)
  assert.deepEqual(scenarioDischarges(scenario).map(key).sort(), independent.records.map(key).sort())
}

const pad = (value: number): string => String(value).padStart(2, '0')

test('the second calculation finds the same discharges in any sessions and prices', () => {
  const hours = fc.array(fc.integer({ min: -30_000, max: 90_000 }), { minLength: 96, maxLength: 96 })
  const stays = fc.array(
    fc.record({
      year: fc.constantFrom(2019, 2020, 2021),
      day: fc.integer({ min: 1, max: 3 }),
      minute: fc.nat(1_439),
      minutes: fc.integer({ min: 1, max: 1_400 }),
      wh: fc.nat(50_000),
    }),
    { minLength: 1, maxLength: 12 },
  )
  fc.assert(
    fc.property(hours, stays, (nanos, list) => {
      const priceLines = nanos.map((nano, hour) => {
        const day = 1 + Math.floor((hour + 1) / 24)
        return `1/${day}/2020 ${(hour + 1) % 24}:00,${(nano / 1e6).toFixed(6)},0`
      })
      const sessionLines = list.map(({ year, day, minute, minutes, wh }) => {
        const stamp = (total: number): string =>
          `${year}-01-${pad(day + Math.floor(total / 1440))} ${pad(Math.floor(total / 60) % 24)}:${pad(total % 60)}:00`
        return `${stamp(minute)},${stamp(minute + minutes)},"Monday",0,0,0,0,0,${(wh / 1000).toFixed(3)}`
      })
      compare(
        `"Start","End","Day","Weekend","Arrival","Charge.Duration","Idle.Duration","Park.Duration","Energy"\n${sessionLines.join('\n')}`,
        `Datetime (he),DA Price ($/kWh),Reg Up Price ($/kW)\n${priceLines.join('\n')}\n`,
        { firstDay: 0, dayCount: 3 },
      )
    }),
    { numRuns: 60 },
  )
})

test('the second calculation finds the same discharges in a year of real sessions and prices', {
  skip: skipWithout(REAL_SESSIONS, REAL_PRICES),
}, () => {
  compare(readFileSync(sharedData(REAL_SESSIONS), 'utf8'), readFileSync(sharedData(REAL_PRICES), 'utf8'), {
    firstDay: 0,
    dayCount: 366,
  })
})
