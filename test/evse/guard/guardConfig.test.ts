import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guardConfigSchema, guardRules } from '../../../evse/guard/guardConfig.ts'
import { parseConfig } from '../../../runtime/config.ts'

test('every limit has a default', () => {
  const config = parseConfig(guardConfigSchema, {})
  assert.equal(config.telemetry.staleMs, 200)
  assert.equal(config.thermal.maxC, 45)
  assert.equal(config.thermal.minC, 20)
  assert.equal(config.plcMinSnrDb, 10)
})

test('what makes no sense is refused with the name of its key', () => {
  const refused = (value: object, key: RegExp): void => {
    assert.throws(
      () => parseConfig(guardConfigSchema, value),
      { code: 'CONFIG_INVALID', message: key },
      JSON.stringify(value),
    )
  }
  refused({ telemetry: { stale: 100 } }, /telemetry\.stale: unknown key/)
  refused(
    {
      thermal: {
        steps: [
          { aboveC: 44, share: 0.5 },
          { aboveC: 40, share: 0.2 },
        ],
      },
    },
    /thermal: steps/,
  )
  refused(
    {
      thermal: {
        steps: [
          { aboveC: 40, share: 0.5 },
          { aboveC: 42, share: 0.6 },
        ],
      },
    },
    /thermal: steps/,
  )
  refused({ thermal: { steps: [{ aboveC: 46, share: 0.5 }] } }, /thermal: steps/)
  refused({ thermal: { minC: 50, steps: [] } }, /thermal: steps/)
  refused({ rampUpWPerS: 0.5 }, /rampUpWPerS/)
  refused({ rampUpWPerS: 0 }, /rampUpWPerS/)
})

test('rated power must be one', () => {
  const config = parseConfig(guardConfigSchema, {})
  for (const ratedW of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => guardRules(config, ratedW), RangeError)
})
