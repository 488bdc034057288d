import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { floorMilliWh } from '../../../gateway/ocmf/energy.ts'
import { judgeSignedValue } from '../../../gateway/ocmf/judge.ts'
import { parseMeterTime } from '../../../gateway/ocmf/meterTime.ts'
import { classifyRegister } from '../../../gateway/ocmf/obis.ts'
import { OcmfError } from '../../../gateway/ocmf/ocmfError.ts'
import { parseOcmf } from '../../../gateway/ocmf/ocmfDocument.ts'
import { PaginationWatch } from '../../../gateway/ocmf/paginationWatch.ts'
import { exportReadings } from '../../../gateway/ocmf/readings.ts'
import { parseExact } from '../../../gateway/ocmf/exactJson.ts'
import { exportPayload, makeOcmfMeter } from '../../support/ocmfMeter.ts'
import { fc } from '../../support/property.ts'

type Fields = Parameters<typeof exportReadings>[0]
const contentOf = (payload: unknown) =>
  exportReadings(parseExact(typeof payload === 'string' ? payload : JSON.stringify(payload)) as Fields)

describe('registers', () => {
  const codes: readonly [string, string, string][] = [
    ['1-0:2.8.0', 'TOTAL', '2.8.0'],
    ['1-b:2.8.0', 'TOTAL', '2.8.0'],
    ['1-b:2.8.e', 'TOTAL', '2.8.E'],
    ['1-0:2.8.0*255', 'TOTAL', '2.8.0'],
    ['1-0:2.8.0*198', 'TOTAL', '2.8.0'],
    ['1-0:2.8.0.FF', 'TOTAL', '2.8.0'],
    ['01-00:02.08.00.FF', 'TOTAL', '2.8.0'],
    ['01-00:02.08.00*FF', 'TOTAL', '2.8.0'],
    ['2.8.0', 'TOTAL', '2.8.0'],
    ['2.8', 'TOTAL', '2.8.0'],
    ['1-0:2.8.1', 'TOTAL', '2.8.1'],
    ['01-00:C0.08.00*FF', 'TOTAL', 'C0.8.0'],
    ['01-00:C1.08.00*FF', 'PARTIAL', 'C1.8.0'],
    ['01-00:C2.08.00*FF', 'PARTIAL', 'C2.8.0'],
    ['01-00:c3.08.00', 'PARTIAL', 'C3.8.0'],
    ['1-0:1.8.0', 'NONE', '1.8.0'],
    ['1-b:1.8.0', 'NONE', '1.8.0'],
    ['01-00:B2.08.00*FF', 'NONE', 'B2.8.0'],
    ['1-0:98.8.0.FF', 'NONE', '98.8.0'],
    ['1-0:12.8.0', 'NONE', '12.8.0'],
    ['1-0:22.8.0', 'NONE', '22.8.0'],
    ['1-0:2.7.0', 'NONE', '2.7.0'],
    ['1-0:2.9.0', 'NONE', '2.9.0'],
    ['7-0:2.8.0', 'NONE', '2.8.0'],
    ['0-0:2.8.0', 'NONE', '2.8.0'],
    ['Energy.Active.Export.Register', 'NONE', 'Energy.Active.Export.Register'],
    ['', 'NONE', ''],
  ]
  for (const [code, kind, name] of codes) {
    test(`${code || '(nothing)'} is ${kind}`, () => assert.deepEqual(classifyRegister(code), { kind, name }))
  }
})

describe('energy', () => {
  test('is exact, and rounded down beyond 10^-3 Wh', () => {
    const cases: readonly [string, string, number][] = [
      ['57.584', 'kWh', 57_584_000],
      ['0.2597', 'kWh', 259_700],
      ['0.1', 'Wh', 100],
      ['   1833', 'Wh', 1_833_000],
      ['00004.405', 'kWh', 4_405_000],
      ['4,405', 'kWh', 4_405_000],
      ['1.0', 'MWh', 1_000_000_000],
      ['7', 'mWh', 7],
      ['0.0009999', 'Wh', 0],
      ['1.2345678999', 'kWh', 1_234_567],
      ['1.5e3', 'Wh', 1_500_000],
      ['25E-1', 'KWH', 2_500_000],
      ['9007199254.740991', 'kWh', Number.MAX_SAFE_INTEGER],
    ]
    for (const [decimal, unit, milliWh] of cases)
      assert.equal(floorMilliWh(decimal, unit), milliWh, `${decimal} ${unit}`)
  })

  test('refuses what is no energy', () => {
    const wrong: readonly [string, string][] = [
      ['-1', 'kWh'],
      ['', 'kWh'],
      ['1.2.3', 'kWh'],
      ['0x10', 'kWh'],
      ['NaN', 'kWh'],
      ['1e999', 'kWh'],
      ['1e-999', 'kWh'],
      ['9007199254.740992', 'kWh'],
      ['1'.repeat(41), 'mWh'],
      ['1', 'mwh'],
      ['1', 'MWH'],
      ['1', 'mOhm'],
      ['1', 'constructor'],
    ]
    for (const [decimal, unit] of wrong)
      assert.throws(() => floorMilliWh(decimal, unit), OcmfError, `${decimal} ${unit}`)
  })

  test('any number of milliwatt-hours written in any unit comes back', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, BigInt(Number.MAX_SAFE_INTEGER)),
        fc.constantFrom(['mWh', 0], ['Wh', 3], ['kWh', 6], ['MWh', 9] as const),
        fc.nat(5),
        (milliWh, [unit, exponent], spaces) => {
          const digits = milliWh.toString().padStart(Number(exponent) + 1, '0')
          const cut = digits.length - Number(exponent)
          const decimal = exponent === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}`
          assert.equal(floorMilliWh(' '.repeat(spaces) + decimal, String(unit)), Number(milliWh))
        },
      ),
    )
  })
})

describe('times', () => {
  test('are read as vendors write them', () => {
    const cases: readonly [string, string, string][] = [
      ['2018-07-24T13:22:04,000+0200 S', '2018-07-24T11:22:04.000Z', 'SYNCHRONISED'],
      ['2018-07-24T13:22:04,125-0330 I', '2018-07-24T16:52:04.125Z', 'INFORMATIVE'],
      ['2018-07-24T13:22:04.5Z R', '2018-07-24T13:22:04.500Z', 'RELATIVE'],
      ['2018-07-24 13:22:04+02:00', '2018-07-24T11:22:04.000Z', 'NOT_SET'],
      ['2018-07-24T13:22:04,1239+02 s', '2018-07-24T11:22:04.123Z', 'SYNCHRONISED'],
      ['2016-12-31T23:59:60,000+0000 S', '2016-12-31T23:59:59.000Z', 'NOT_SET'],
      ['2020-02-29T00:00:00,000+0000 S', '2020-02-29T00:00:00.000Z', 'SYNCHRONISED'],
      ['1970-01-01T00:00:10,000+0000 S', '1970-01-01T00:00:10.000Z', 'NOT_SET'],
      ['1970-01-01T00:00:00,000+0200 U', '1970-01-01T00:00:00.000Z', 'NOT_SET'],
    ]
    for (const [text, iso, clock] of cases) {
      const time = parseMeterTime(text)
      assert.equal(new Date(time.atMs).toISOString(), iso, text)
      assert.equal(time.clock, clock, text)
    }
  })

  test('that do not exist or name no zone are refused', () => {
    for (const text of [
      '2021-02-29T00:00:00,000+0000 S',
      '2021-13-01T00:00:00,000+0000 S',
      '2021-00-01T00:00:00,000+0000 S',
      '2021-01-01T24:00:00,000+0000 S',
      '2021-01-01T00:60:00,000+0000 S',
      '2021-01-01T00:00:61,000+0000 S',
      '2021-01-01T00:00:00,000 S',
      '2021-01-01T00:00:00,000+0000 Q',
      '21-01-01T00:00:00,000+0000 S',
      '',
    ]) {
      assert.throws(() => parseMeterTime(text), OcmfError, text)
    }
  })

  test('any moment written in any zone comes back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(2018, 0, 1), max: Date.UTC(2099, 0, 1) }),
        fc.integer({ min: -14 * 60, max: 14 * 60 }),
        (atMs, zone) => {
          const local = new Date(atMs + zone * 60_000).toISOString().replace('Z', '').replace('.', ',')
          const offset = `${zone < 0 ? '-' : '+'}${String(Math.floor(Math.abs(zone) / 60)).padStart(2, '0')}${String(Math.abs(zone) % 60).padStart(2, '0')}`
          assert.deepEqual(parseMeterTime(`${local}${offset} S`), { atMs, clock: 'SYNCHRONISED' })
        },
      ),
    )
  })
})

describe('readings', () => {
  test('take from the one before what they do not say, but never its value', () => {
    const { readings } = contentOf({
      RD: [
        { TM: '2026-01-01T00:00:00,000+0000 S', TX: 'B', RV: '   1.000', RI: '1-0:2.8.0', RU: 'kWh', EF: '', ST: 'G' },
        { TM: '2026-01-01T00:01:00,000+0000 S', TX: 'C', RV: 2 },
        { RI: '1-0:1.8.0', RV: 50 },
        { TM: '2026-01-01T00:02:00,000+0000 S', RI: '1-0:2.8.0', RV: '2500', RU: 'Wh' },
        { TM: '2026-01-01T00:03:00,000+0000 S', TX: 'E' },
        { RV: 3000 },
      ],
    })
    assert.deepEqual(
      readings.map(({ exportMilliWh, moment, atMs }) => [
        exportMilliWh,
        moment,
        (atMs - Date.UTC(2026, 0, 1)) / 60_000,
      ]),
      [
        [1_000_000, 'BEGIN', 0],
        [2_000_000, 'CHARGING', 1],
        [2_500_000, 'CHARGING', 2],
        [3_000_000, 'END', 3],
      ],
    )
  })

  test('an error ends when the meter says so, and an error of the import register is none of ours', () => {
    const good = { TM: '2026-01-01T00:00:00,000+0000 S', RV: 1, RI: '1-0:2.8.0', RU: 'kWh', EF: '', ST: 'G' }
    const importError = { ...good, RI: '1-0:1.8.0', EF: 'E' }
    assert.equal(contentOf({ RD: [importError, good] }).readings.length, 1)
    assert.throws(() => contentOf({ RD: [importError, { ...good, EF: undefined }] }), { message: /EF/ })
    assert.throws(() => contentOf({ RD: [good, { RV: 2, EF: 'E' }] }), { message: /EF/ })
  })

  test('the sum of all tariffs goes before single tariffs, and tariffs alone are not added up', () => {
    const reading = { TM: '2026-01-01T00:00:00,000+0000 S', RU: 'kWh', ST: 'G' }
    const at = (RI: string, RV: number) => ({ ...reading, RI, RV })
    assert.deepEqual(
      contentOf({ RD: [at('1-0:2.8.1', 1), at('1-0:2.8.2', 2), at('1-0:2.8.0', 3)] }).readings.map((r) => r.register),
      ['2.8.0'],
    )
    assert.equal(contentOf({ RD: [at('1-0:2.8.1', 1)] }).readings.length, 1)
    assert.throws(() => contentOf({ RD: [at('1-0:2.8.1', 1), at('1-0:2.8.2', 2)] }), { message: /no total export/ })
    const both = contentOf({ RD: [at('01-00:C0.08.00*FF', 7), at('01-00:C2.08.00*FF', 1)] })
    assert.deepEqual([both.readings.length, both.otherReadings[0]!.exportMilliWh], [1, 1_000_000])
  })

  test('serial, page and person are told; a version as a number and any order of keys do not matter', () => {
    const content = contentOf(
      '{"RD":[{"ST":"G","RU":"kWh","RI":"1-0:2.8.0","RV":1,"TM":"2026-01-01T00:00:00,000+0000 S"}],"PG":"F12","GS":"G","ID":" x ","FV":0.4}',
    )
    assert.deepEqual(
      [content.serial, content.pagination, content.identification],
      ['G', { kind: 'F', number: 12 }, 'x'],
    )
    assert.equal(contentOf(exportPayload('1', { PG: 5 })).pagination, undefined)
  })

  test('a pipe in somebody’s id does not end the payload', async () => {
    const meter = makeOcmfMeter()
    const data = meter.sign(exportPayload('1', { ID: 'a|{"b"}|\\"c' }))
    const judgement = await judgeSignedValue({ signedValues: 'refuse', meterKey: meter.key }, { data })
    assert.equal(judgement.verdict, 'VERIFIED')
  })

  test('spaces and line breaks anywhere are signed as they are', async () => {
    const meter = makeOcmfMeter()
    const data = meter.sign(`\n ${JSON.stringify(JSON.parse(exportPayload('1')), null, 2)}\n `)
    const judgement = await judgeSignedValue({ signedValues: 'refuse', meterKey: meter.key }, { data })
    assert.equal(judgement.verdict, 'VERIFIED')
    const stripped = await judgeSignedValue(
      { signedValues: 'refuse', meterKey: meter.key },
      { data: data.replaceAll('\n', '') },
    )
    assert.equal(stripped.verdict, 'REFUSED')
  })
})

describe('whatever comes', () => {
  const meter = makeOcmfMeter()
  const policy = { signedValues: 'refuse', meterKey: meter.key } as const

  test('any text is judged, never thrown at anyone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ maxLength: 300, unit: 'binary' }), fc.base64String({ maxLength: 300 }), fc.json()),
        async (text) => {
          for (const data of [text, `OCMF|${text}`, `OCMF|{}|${text}`, `OCMF|${text}|{"SD":"00"}`]) {
            const judgement = await judgeSignedValue(policy, { data, publicKey: text, signingMethod: text })
            assert.equal(judgement.verdict, 'REFUSED')
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('any payload that the meter signs is read or refused by code, 5 000 times', async () => {
    const scalar = fc.oneof(
      fc.constantFrom('1-0:2.8.0', 'kWh', 'Wh', 'G', 'S', 'B', 'E', '', ' 1.5', '2026-01-01T00:00:00,000+0000 S'),
      fc.double(),
      fc.string({ maxLength: 12 }),
      fc.boolean(),
      fc.constant(null),
    )
    const keys = ['TM', 'TX', 'RV', 'RI', 'RU', 'EF', 'ST', '__proto__', 'constructor']
    const reading = fc.dictionary(fc.constantFrom(...keys), scalar)
    const payload = fc.record(
      {
        RD: fc.oneof(fc.array(fc.oneof(reading, scalar), { maxLength: 5 }), scalar),
        PG: scalar,
        MS: scalar,
        ID: scalar,
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(payload, async (fields) => {
        const judgement = await judgeSignedValue(policy, { data: meter.sign(fields) })
        if (judgement.verdict === 'VERIFIED') {
          for (const { exportMilliWh, atMs } of judgement.value.readings) {
            assert.ok(
              Number.isSafeInteger(exportMilliWh) && exportMilliWh >= 0 && Number.isSafeInteger(atMs) && atMs >= 0,
            )
          }
        } else {
          assert.ok(judgement.verdict === 'REFUSED')
          assert.match(judgement.problem.code, /^OCMF_/)
          assert.doesNotMatch(judgement.problem.message, /cannot be read/)
          assert.ok(judgement.problem.message.length < 400)
        }
      }),
      { numRuns: 5_000 },
    )
  })

  test('the payload is what is between the pipes, whatever it holds', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom('', ' ', '\n\t'), (fields, space) => {
        const payload = `${space}${JSON.stringify(fields)}${space}`
        const document = parseOcmf(Buffer.from(`OCMF|${payload}|{"SD":"3000"}`))
        assert.equal(Buffer.from(document.payload).toString(), payload)
      }),
    )
  })
})

test('pages: next, repeated, missing, back, each meter and kind for itself', () => {
  const watch = new PaginationWatch()
  const see = (number: number, kind: 'T' | 'F' = 'T', serial = 'm') =>
    watch.see('evse', { pagination: { kind, number }, serial })
  assert.deepEqual(see(5), { order: 'FIRST' })
  assert.deepEqual(see(6), { order: 'NEXT' })
  assert.deepEqual(see(6), { order: 'REPEATED' })
  assert.deepEqual(see(9), { order: 'MISSING', count: 2 })
  assert.deepEqual(see(7), { order: 'BACK' })
  assert.deepEqual(see(10), { order: 'NEXT' })
  assert.deepEqual(see(1, 'F'), { order: 'FIRST' })
  assert.deepEqual(see(1, 'T', 'other'), { order: 'FIRST' })
  assert.equal(watch.see('evse', { pagination: undefined, serial: 'm' }), undefined)
})
