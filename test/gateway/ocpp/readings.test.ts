import assert from 'node:assert/strict'
import { test } from 'node:test'
import { floorScaled } from '../../../gateway/ocpp/decimal.ts'
import { exportInterval, exportRegister } from '../../../gateway/ocpp/exportEnergy.ts'
import { type Reading, readingsOf2, readingsOf16 } from '../../../gateway/ocpp/reading.ts'
import { StationClock } from '../../../gateway/ocpp/stationClock.ts'
import { measuredOf, measuredOfEvent, socBpOf } from '../../../gateway/ocpp/telemetryReading.ts'
import { fc } from '../../support/property.ts'

const REGISTER = 'Energy.Active.Export.Register'

test('decimals are exact', () => {
  assert.equal(floorScaled('0.1', 3), 100)
  assert.equal(floorScaled('1.0005', 3), 1_000)
  assert.equal(floorScaled('-1.0005', 3), -1_001)
  assert.equal(floorScaled(' 12 ', 3), 12_000)
  assert.equal(floorScaled('1e-7', 6), 0)
  assert.equal(floorScaled('1.5E3', 3), 1_500_000)
  assert.equal(floorScaled('999999999999.999', 3), 999_999_999_999_999)
  for (const bad of ['', 'x', '1,5', '0x10', 'NaN', 'Infinity', '1e999', '99999999999999999', '.5', '--1']) {
    assert.equal(floorScaled(bad, 3), undefined, bad)
  }
})

test('what a station writes with 15 digits is what is read, by number or text', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_999_999 }), (milliWh) => {
      const digits = String(milliWh).padStart(4, '0')
      const wattHours = `${digits.slice(0, -3)}.${digits.slice(-3)}`
      const parsed = JSON.parse(`{"v":${wattHours.replace(/^0+(?=\d)/, '')}}`) as { v: number }
      assert.equal(floorScaled(String(parsed.v), 3), milliWh)
      assert.equal(floorScaled(wattHours, 3), milliWh)
      const kiloWattHours = `${digits.padStart(7, '0').slice(0, -6)}.${digits.padStart(7, '0').slice(-6)}`
      assert.equal(floorScaled(kiloWattHours, 6), milliWh)
    }),
  )
})

interface Sampled {
  value?: number
  measurand?: string
  context?: string
  phase?: string
  location?: string
  unitOfMeasure?: { unit?: string; multiplier?: number }
}

function readings(...sampledValue: Sampled[]): readonly Reading[] {
  const values = sampledValue.map((sampled) => ({ value: 1, measurand: REGISTER, ...sampled }))
  return readingsOf2([{ timestamp: '2026-10-01T00:00:00Z', sampledValue: values }])[0]!.readings
}

const read = (...sampled: Sampled[]) => {
  const found = exportRegister(readings(...sampled), undefined)
  return found.kind === 'READ' ? found.milliWh : found.kind
}

test('only the export register counts: an absent measurand is import', () => {
  const absent = readingsOf2([{ timestamp: '2026-10-01T00:00:00Z', sampledValue: [{ value: 5 }] }])[0]!.readings
  assert.equal(exportRegister(absent, undefined).kind, 'NONE')
  assert.equal(read({ measurand: 'Energy.Active.Import.Register' }), 'NONE')
  assert.equal(read({ measurand: 'Energy.Active.Net' }), 'NONE')
  assert.equal(read({ value: 5 }), 5_000)
})

test('unit and multiplier', () => {
  assert.equal(read({ value: 1.234567, unitOfMeasure: { unit: 'kWh' } }), 1_234_567)
  assert.equal(read({ value: 12, unitOfMeasure: { unit: 'Wh', multiplier: 3 } }), 12_000_000)
  assert.equal(read({ value: 123_456, unitOfMeasure: { unit: 'kWh', multiplier: -3 } }), 123_456_000)
  assert.equal(read({ value: 5, unitOfMeasure: { multiplier: -1 } }), 500)
  assert.equal(read({ value: 5, unitOfMeasure: { unit: 'varh' } }), 'BAD')
  assert.equal(read({ value: -1 }), 'BAD')
  assert.equal(read({ value: 2 ** 40 }), 'BAD')
  const [group] = readingsOf16([
    { timestamp: '2026-10-01T00:00:00Z', sampledValue: [{ value: '0.5', measurand: REGISTER, unit: 'kWh' }] },
  ])
  assert.deepEqual(exportRegister(group!.readings, undefined), {
    kind: 'READ',
    milliWh: 500_000,
    source: 'Outlet:total',
  })
})

test('phases: the total, else their sum', () => {
  assert.equal(read({ value: 3, phase: 'L1' }, { value: 10 }, { value: 4, phase: 'L2' }), 10_000)
  assert.equal(read({ value: 3, phase: 'L1' }, { value: 4, phase: 'L2' }, { value: 5, phase: 'L3' }), 12_000)
  assert.equal(read({ value: 3, phase: 'L1-N' }, { value: 4, phase: 'L2-N' }), 7_000)
  assert.equal(read({ value: 3, phase: 'L1-L2' }), 'NONE')
  assert.equal(read({ value: 3, phase: 'N' }), 'NONE')
})

test('the EVSE’s meter, not the car’s; and one meter a transaction', () => {
  assert.equal(read({ value: 3, location: 'EV' }), 'NONE')
  assert.equal(read({ value: 3, location: 'Cable' }), 'NONE')
  assert.equal(
    read({ value: 3, location: 'Inlet' }, { value: 4, location: 'Outlet' }, { value: 5, location: 'Body' }),
    4_000,
  )
  const both = readings({ value: 3, location: 'Inlet' }, { value: 4 })
  assert.deepEqual(exportRegister(both, 'Inlet:total'), { kind: 'READ', milliWh: 3_000, source: 'Inlet:total' })
  assert.equal(exportRegister(readings({ value: 3, location: 'Body' }), 'Outlet:total').kind, 'NONE')
  const phases = readings({ value: 9 }, { value: 3, phase: 'L1' }, { value: 4, phase: 'L2' })
  assert.deepEqual(exportRegister(phases, 'Outlet:L1+L2'), { kind: 'READ', milliWh: 7_000, source: 'Outlet:L1+L2' })
  assert.equal(exportRegister(readings({ value: 3, phase: 'L1' }), 'Outlet:L1+L2').kind, 'NONE')
})

test('two readings of a moment must agree, but for how the transaction began', () => {
  assert.equal(read({ value: 3 }, { value: 3, context: 'Sample.Clock' }), 3_000)
  assert.equal(read({ value: 3 }, { value: 4, context: 'Sample.Clock' }), 'BAD')
  assert.equal(read({ value: 3, context: 'Transaction.Begin' }, { value: 4, context: 'Transaction.End' }), 4_000)
  assert.equal(read({ value: 3, context: 'Transaction.Begin' }), 3_000)
})

test('intervals: those of the transaction, not those of the clock', () => {
  const interval = { measurand: 'Energy.Active.Export.Interval' }
  const found = exportInterval(
    readings({ ...interval, value: 2 }, { ...interval, value: 9, context: 'Sample.Clock' }),
    undefined,
  )
  assert.deepEqual(found, { kind: 'READ', milliWh: 2_000, source: 'Outlet:total' })
  assert.equal(exportInterval(readings({ ...interval, context: 'Sample.Clock' }), undefined).kind, 'NONE')
})

test('telemetry: power with its sign, the worst phase, the hottest point', () => {
  const power = (value: number, direction: 'Export' | 'Import', more: Sampled = {}) => ({
    value,
    measurand: `Power.Active.${direction}`,
    ...more,
  })
  assert.deepEqual(measuredOf(readings(power(7, 'Export', { unitOfMeasure: { unit: 'kW' } })), 230), { powerW: 7_000 })
  assert.deepEqual(measuredOf(readings(power(500, 'Import')), 230), { powerW: -500 })
  const threePhases = ['L1', 'L2', 'L3'].map((phase) => power(100, 'Export', { phase }))
  assert.deepEqual(measuredOf(readings(...threePhases), 230), { powerW: 300 })
  const voltages = [229, 210, 235].map((value, index) => ({ value, measurand: 'Voltage', phase: `L${index + 1}-N` }))
  assert.deepEqual(measuredOf(readings(...voltages, { value: 400, measurand: 'Voltage', phase: 'L1-L2' }), 230), {
    gridVoltageV: 210,
  })
  assert.deepEqual(measuredOf(readings({ value: 49.9, measurand: 'Frequency' }), 230), { gridFrequencyHz: 49.9 })
  assert.equal(measuredOf(readings({ value: 1 }), 230), undefined)
  assert.equal(socBpOf(readings({ value: 80.25, measurand: 'SoC' })), 8_025)
  assert.equal(socBpOf(readings({ value: 100.01, measurand: 'SoC' })), undefined)
  const hot = (value: string, unit: 'Celsius' | 'Fahrenheit' | 'K') => ({ value, unit, measurand: 'Temperature' })
  const [group] = readingsOf16([
    {
      timestamp: '2026-10-01T00:00:00Z',
      sampledValue: [hot('20', 'Celsius'), hot('113', 'Fahrenheit'), hot('300', 'K')],
    },
  ])
  assert.deepEqual(measuredOf(group!.readings, 230), { tempC: 45 })
})

test('events: temperature, signal-to-noise, contactor', () => {
  const event = (component: string, variable: string, actualValue: string) => ({
    timestamp: '2026-10-01T00:00:00Z',
    trigger: 'Periodic',
    actualValue,
    component: { name: component },
    variable: { name: variable },
  })
  assert.deepEqual(measuredOfEvent(event('EVSE', 'Temperature', '44.5'), []), { tempC: 44.5 })
  assert.deepEqual(measuredOfEvent(event('ISO15118Ctrlr', 'plcsnr', '9'), ['PlcSnr']), { plcSnrDb: 9 })
  assert.deepEqual(measuredOfEvent(event('PowerContactor', 'Active', 'true'), []), { contactorClosed: true })
  assert.equal(measuredOfEvent(event('EVSE', 'Temperature', ''), []), undefined)
  assert.equal(measuredOfEvent(event('EVSE', 'Power', '5'), []), undefined)
})

test('a clock is judged by the quickest message', () => {
  const clock = new StationClock(2_000)
  assert.equal(clock.trusted(), true)
  clock.observe(10_000, 7_000)
  assert.equal(clock.trusted(), false)
  clock.observe(20_000, 19_900) // the one before was just slow
  assert.equal(clock.trusted(), true)
  for (let i = 0; i < 16; i++) clock.observe(30_000, 27_500)
  assert.deepEqual([clock.trusted(), clock.offsetMs()], [false, 2_500])
  clock.reset()
  clock.observe(30_000, 33_000)
  assert.deepEqual([clock.trusted(), clock.offsetMs()], [false, -3_000])
})
