import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guardConfigOf } from '../../../gateway/control/config.ts'
import { configOf, edgeEvse } from './support.ts'

test('an EVSE has its own limits over its source’s over everybody’s', () => {
  const config = configOf({
    guard: { rampUpWPerS: 500, thermal: { maxC: 50 } },
    bySource: { modbus: { telemetry: { staleMs: 1_500 }, rampUpWPerS: 600 } },
    evses: { a: { rampUpWPerS: 700, thermal: { steps: [] } } },
  })
  const own = guardConfigOf(config, edgeEvse('a', { telemetry: 'modbus' }))
  assert.deepEqual(
    [own.rampUpWPerS, own.telemetry.staleMs, own.thermal.maxC, own.thermal.steps.length, own.telemetry.resumeAfterMs],
    [700, 1_500, 50, 0, 1_000],
  )
  const source = guardConfigOf(config, edgeEvse('b', { telemetry: 'modbus' }))
  assert.deepEqual([source.rampUpWPerS, source.telemetry.staleMs], [600, 1_500])
  const common = guardConfigOf(config, edgeEvse('c'))
  assert.deepEqual([common.rampUpWPerS, common.telemetry.staleMs], [500, 200])
})

test('OCPP needs a staleness of its own, said where it belongs', () => {
  const evse = edgeEvse('a', { telemetry: 'ocpp' })
  assert.throws(() => guardConfigOf(configOf({}), evse), {
    code: 'CONFIG_INVALID',
    message: /control\.bySource\.ocpp\.telemetry\.staleMs/,
  })
  assert.throws(() => guardConfigOf(configOf({ guard: { telemetry: { staleMs: 60_000 } } }), evse), {
    code: 'CONFIG_INVALID',
  })
  const given = { telemetry: { staleMs: 90_000 } }
  assert.equal(guardConfigOf(configOf({ bySource: { ocpp: given } }), evse).telemetry.staleMs, 90_000)
  assert.equal(guardConfigOf(configOf({ evses: { a: given } }), evse).telemetry.staleMs, 90_000)
})

test('what is laid over is checked like the rest, and names the EVSE', () => {
  const refused = (over: object): void => {
    assert.throws(() => guardConfigOf(configOf({ evses: { a: over } }), edgeEvse('a')), {
      code: 'CONFIG_INVALID',
      message: /limits of a/,
    })
  }
  refused({ rampUp: 5 })
  refused({ thermal: { maxC: 10 } })
  refused({ telemetry: 5 })
})
