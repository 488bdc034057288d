import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planDisturbances } from '../../devnet/evening/disturbances.ts'
import type { LaneOnL1 } from '../../devnet/evening/onL1.ts'
import { eveningPlan } from '../../devnet/evening/plan.ts'
import { eveningDifferences, metered, owedFor, toldDifferences } from '../../devnet/evening/verdict.ts'
import { INTERVAL_SECONDS } from '../../protocol/limits.ts'

const plan = eveningPlan({ seed: 'verdict', ocppEvses: 3, mqttEvses: 2, periods: 4 })
const wholeWh = (milliWh: number): number => Math.floor(milliWh / 1_000)

/** A record from reading to reading, as an honest charger makes them. */
function honestLane(): LaneOnL1 {
  const records = plan.sessions.flatMap(({ evse, contract, readings }) =>
    readings.slice(1).map((after, i) => {
      const before = readings[i]!
      return {
        evse,
        contract,
        start: before.atSeconds / INTERVAL_SECONDS,
        intervals: (after.atSeconds - before.atSeconds) / INTERVAL_SECONDS,
        energyWh: wholeWh(after.exportMilliWh) - wholeWh(before.exportMilliWh),
        meterEndWh: wholeWh(after.exportMilliWh),
        socDrop: 100,
        tempC: after.tempC,
      }
    }),
  )
  // Each one's worth is what the calculation says that the lane gains by it.
  const settled: { record: (typeof records)[number]; amountMicro: number }[] = []
  let before = 0n
  for (const record of records) {
    settled.push({ record, amountMicro: 0 })
    const { totalMicro } = owedFor(plan, { settled, fruitless: new Map() })
    settled.at(-1)!.amountMicro = Number(totalMicro - before)
    before = totalMicro
  }
  return { settled, fruitless: new Map() }
}

const honest = honestLane()
const paidFor = (lane: LaneOnL1) => owedFor(plan, lane).creditedMicro
const found = (onL1: LaneOnL1, paidMicro = paidFor(onL1)): string[] => eveningDifferences({ plan, onL1, paidMicro })

test('an honest evening agrees with itself', () => {
  assert.ok(metered(plan).totalWh > 1_000)
  assert.deepEqual(found(honest), [])
})

test('one record too few, or a watt-hour too many, is found at charger, contract and period', () => {
  const lost = { ...honest, settled: honest.settled.slice(1) }
  const { evse, contract } = honest.settled[0]!.record
  assert.ok(found(lost).some((text) => text.startsWith(`charger ${evse}:`)))
  assert.ok(found(lost).some((text) => text.startsWith(`contract ${contract}:`)))
  const [first, ...rest] = honest.settled
  const more = { ...first!, record: { ...first!.record, energyWh: first!.record.energyWh + 1 } }
  assert.ok(found({ ...honest, settled: [more, ...rest] }).some((text) => text.startsWith(`charger ${evse}:`)))
})

test('energy in the wrong period, a wrong amount, a wrong payment, a fruitless record are found', () => {
  const moved = honest.settled.map(({ record, amountMicro }, i) =>
    i === 0 ? { record: { ...record, start: record.start - 60 }, amountMicro } : { record, amountMicro },
  )
  assert.ok(found({ ...honest, settled: moved }).some((text) => /Wh credited in/.test(text)))
  const dearer = honest.settled.map((each, i) => (i === 0 ? { ...each, amountMicro: each.amountMicro + 1 } : each))
  assert.ok(found({ ...honest, settled: dearer }).some((text) => /has .* not/.test(text)))
  assert.ok(found(honest, new Map()).some((text) => /was paid/.test(text)))
  assert.ok(found({ ...honest, fruitless: new Map([['THERMAL_LIMIT', 2]]) })[0]!.includes('2 records on L1'))
})

test('a back office that was told less, twice, or of another amount, is found', () => {
  const told = honest.settled.map(({ record: { evse, energyWh }, amountMicro }, position) => {
    return { evse, energyWh, creditedMicro: BigInt(amountMicro), position }
  })
  assert.deepEqual(toldDifferences(honest, told), [])
  assert.match(toldDifferences(honest, told.slice(1))[0]!, /Wh credited on L1, .* told to the back office/)
  assert.match(toldDifferences(honest, [...told, told[0]!])[0]!, /in two events/)
  const dearer = told.map((record, i) => (i === 0 ? { ...record, creditedMicro: record.creditedMicro + 1n } : record))
  assert.match(toldDifferences(honest, dearer)[0]!, /on L1, .* told/)
})

test('the same seed disturbs alike, as often as asked, whatever the seed', () => {
  for (let i = 0; i < 50; i++) {
    const size = { seed: `seed ${i}`, minutes: 45, evses: 20, kills: 5, brokerRestarts: 3 }
    const all = [...planDisturbances(size).at.values()].flat()
    assert.deepEqual(all, [...planDisturbances(size).at.values()].flat())
    assert.equal(all.filter(({ kind }) => kind === 'KILL_GATEWAY').length, 5, size.seed)
    assert.equal(all.filter(({ kind }) => kind === 'RESTART_BROKER').length, 3, size.seed)
    assert.ok(
      [...planDisturbances(size).at.keys()].every((minute) => minute < size.minutes),
      size.seed,
    )
  }
})
