import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AlignedSession, alignSessions } from '../../../devnet/replay/calendar.ts'
import { planDischarge } from '../../../devnet/replay/dischargePlan.ts'
import { assignEvses } from '../../../devnet/replay/evseAssignment.ts'
import type { ChargingSession } from '../../../devnet/replay/sessionFile.ts'
import { fc } from '../../support/property.ts'

const rule = { ratedW: 6_600, shareBps: 5_000, depthBps: 2_500, capacityWh: 60_000 }

function stay(startSeconds: number, endSeconds: number, takenWh: number): AlignedSession {
  return { startSeconds, endSeconds, takenWh, lineNumber: 2 }
}

function session(year: number, month: number, day: number, hours: number): ChargingSession {
  const endHour = 8 + hours
  const endDay = day + Math.floor(endHour / 24)
  return {
    start: { year, month, day, secondOfDay: 8 * 3600 },
    end: { year, month, day: endDay, secondOfDay: (endHour % 24) * 3600 },
    takenWh: 10_000,
    lineNumber: 2,
  }
}

test('alignSessions keeps month, day, time of day and the length of the stay', () => {
  const [aligned] = alignSessions([session(2019, 6, 14, 20)], 2020)
  assert.equal(aligned!.startSeconds, Date.UTC(2020, 5, 14, 8) / 1000)
  assert.equal(aligned!.endSeconds, Date.UTC(2020, 5, 15, 4) / 1000)
})

test('alignSessions moves 29 February only where there is none', () => {
  assert.equal(alignSessions([session(2020, 2, 29, 1)], 2020)[0]!.startSeconds, Date.UTC(2020, 1, 29, 8) / 1000)
  assert.equal(alignSessions([session(2020, 2, 29, 1)], 2019)[0]!.startSeconds, Date.UTC(2019, 1, 28, 8) / 1000)
})

test('alignSessions orders years that fall onto one by the time of arrival', () => {
  const order = alignSessions([session(2019, 6, 2, 1), session(2020, 6, 1, 1)], 2020)
  assert.deepEqual(
    order.map(({ startSeconds }) => new Date(startSeconds * 1000).getUTCDate()),
    [1, 2],
  )
})

test('a car discharges in the dearest whole quarters of its stay, in time order, the last one in part', () => {
  const prices = new Map([
    [0, 900], // only partly inside the stay
    [1, 10],
    [2, 30],
    [3, 20],
    [4, 30],
  ])
  const planned = planDischarge(stay(1, 5 * 900, 8_000), rule, (period) => prices.get(period))
  assert.deepEqual(planned, [
    { period: 2, energyWh: 1_650 },
    { period: 3, energyWh: 700 },
    { period: 4, energyWh: 1_650 },
  ])
})

test('of two equally dear quarters the earlier one is taken', () => {
  assert.deepEqual(
    planDischarge(stay(0, 3_600, 200), rule, () => 5),
    [{ period: 0, energyWh: 100 }],
  )
})

test('nothing is discharged at a price of zero or without one', () => {
  assert.deepEqual(
    planDischarge(stay(0, 3_600, 9_000), rule, () => 0),
    [],
  )
  assert.deepEqual(
    planDischarge(stay(0, 3_600, 9_000), rule, () => undefined),
    [],
  )
})

test('the battery limits what is given back when the car took a lot', () => {
  const planned = planDischarge(stay(0, 86_400, 59_000), rule, () => 5)
  assert.equal(
    planned.reduce((sum, { energyWh }) => sum + energyWh, 0),
    15_000,
  )
})

test('every plan keeps within stay, power and limit, and leaves no dearer quarter unused', () => {
  const arbitrary = fc.record({
    start: fc.nat(20_000),
    length: fc.nat(60_000),
    takenWh: fc.nat(60_000),
    prices: fc.array(fc.nat(5), { minLength: 100, maxLength: 100 }),
  })
  fc.assert(
    fc.property(arbitrary, ({ start, length, takenWh, prices }) => {
      const planned = planDischarge(stay(start, start + length, takenWh), rule, (period) => prices[period])
      const used = new Map(planned.map(({ period, energyWh }) => [period, energyWh]))
      assert.equal(used.size, planned.length)
      const total = planned.reduce((sum, { energyWh }) => sum + energyWh, 0)
      const limit = Math.min(Math.floor(takenWh / 2), 15_000)
      assert.ok(total <= limit)
      for (const { period, energyWh } of planned) {
        assert.ok(period * 900 >= start && (period + 1) * 900 <= start + length)
        assert.ok(energyWh > 0 && energyWh <= 1_650 && prices[period]! > 0)
      }
      const cheapest = Math.min(...planned.map(({ period }) => prices[period]!))
      for (let period = Math.ceil(start / 900); (period + 1) * 900 <= start + length; period++) {
        if (prices[period]! === 0 || used.has(period)) continue
        assert.equal(total, limit, 'a priced quarter is left only when the limit is reached')
        assert.ok(prices[period]! <= cheapest)
      }
    }),
  )
})

test('no charger has two cars at once, and no charger is there for nothing', () => {
  const stays = fc.array(fc.tuple(fc.nat(1_000), fc.integer({ min: 1, max: 300 })), { maxLength: 60 })
  fc.assert(
    fc.property(stays, (pairs) => {
      const sessions = pairs
        .map(([start, length]) => stay(start, start + length, 1))
        .sort((a, b) => a.startSeconds - b.startSeconds)
      const evses = assignEvses(sessions)
      for (const [i, a] of sessions.entries()) {
        for (const [j, b] of sessions.entries()) {
          if (i < j && evses[i] === evses[j]) assert.ok(a.endSeconds <= b.startSeconds)
        }
      }
      const present = sessions.map(
        (at) => sessions.filter((s) => s.startSeconds <= at.startSeconds && at.startSeconds < s.endSeconds).length,
      )
      assert.equal(Math.max(0, ...evses.map((evse) => evse + 1)), Math.max(0, ...present))
    }),
  )
})
