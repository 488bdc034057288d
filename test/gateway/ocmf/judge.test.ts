import assert from 'node:assert/strict'
import { ECDH, generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { pino } from 'pino'
import { judgeSignedValue } from '../../../gateway/ocmf/judge.ts'
import { meterKeyBytes, meterKeyProblem } from '../../../gateway/ocmf/meterKey.ts'
import { createOcmfJudge } from '../../../gateway/ocmf/ocmfJudge.ts'
import type { Judgement, SignedValueCode, VerifiedValue } from '../../../gateway/ocmf/signedValue.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { exportPayload, makeOcmfMeter, type SigningHow } from '../../support/ocmfMeter.ts'

const CURVES = [
  ['secp192k1', 'secp192k1'],
  ['prime192v1', 'secp192r1'],
  ['secp224r1', 'secp224r1'],
  ['secp256k1', 'secp256k1'],
  ['prime256v1', 'secp256r1'],
  ['prime256v1', 'prime256v1'],
  ['secp384r1', 'secp384r1'],
  ['secp521r1', 'secp521r1'],
  ['brainpoolP256r1', 'brainpoolP256r1'],
  ['brainpoolP256r1', 'brainpool256r1'],
  ['brainpoolP384r1', 'brainpool384r1'],
  ['brainpoolP384r1', 'BRAINPOOLP384R1'],
  ['brainpoolP512r1', 'brainpoolP512r1'],
] as const

const HOWS: readonly SigningHow[] = (['sha256', 'sha384', 'sha512'] as const).flatMap((hash) =>
  (['der', 'raw'] as const).flatMap((form) =>
    (['hex', 'base64'] as const).map((encoding) => ({ hash, form, encoding })),
  ),
)

function verifiedOf(judgement: Judgement): VerifiedValue {
  assert.ok(judgement.verdict === 'VERIFIED', 'problem' in judgement ? judgement.problem.message : judgement.verdict)
  return judgement.value
}

function problemOf(judgement: Judgement, verdict: 'REFUSED' | 'FLAGGED' = 'REFUSED'): SignedValueCode {
  assert.ok(judgement.verdict === verdict, judgement.verdict)
  return judgement.problem.code
}

describe('signatures', () => {
  for (const [curve, name] of CURVES) {
    test(`${curve} announced as ${name}: every hash, DER and raw, hex and base64`, async () => {
      const meter = makeOcmfMeter(curve, name)
      const other = makeOcmfMeter(curve, name)
      for (const how of HOWS) {
        const data = meter.sign(exportPayload('1.5'), how)
        const value = verifiedOf(await judgeSignedValue({ signedValues: 'refuse', meterKey: meter.key }, { data }))
        assert.equal(value.readings[0]!.exportMilliWh, 1_500_000)
        assert.deepEqual(value.flags, [])
        const wrong = await judgeSignedValue({ signedValues: 'refuse', meterKey: other.key }, { data })
        assert.equal(problemOf(wrong), 'OCMF_BAD_SIGNATURE')
        const changed = await judgeSignedValue(
          { signedValues: 'refuse', meterKey: meter.key },
          { data: data.replace('"RV":1.5', '"RV":1.6') },
        )
        assert.equal(problemOf(changed), 'OCMF_BAD_SIGNATURE')
      }
    })

    test(`${name}: the key as raw point, compressed, bare, PEM, OCPP’s text`, async () => {
      const meter = makeOcmfMeter(curve, name)
      const data = meter.sign(exportPayload('1.5'))
      const { x = '', y = '' } =
        curve.startsWith('brainpool') || curve.includes('192') || curve.includes('224')
          ? {}
          : meter.publicKey.export({ format: 'jwk' })
      const size = {
        secp192k1: 24,
        prime192v1: 24,
        secp224r1: 28,
        secp384r1: 48,
        secp521r1: 66,
        brainpoolP384r1: 48,
        brainpoolP512r1: 64,
      }
      const bytes = (size as Record<string, number>)[curve] ?? 32
      const point = Buffer.from(meter.key).subarray(-(2 * bytes + 1))
      if (x !== '' && bytes !== 66)
        assert.equal(
          Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]).toString('hex'),
          point.subarray(1).toString('hex'),
        )
      const compressed = ECDH.convertKey(point, curve, undefined, undefined, 'compressed') as Buffer
      const pem = meter.publicKey.export({ type: 'spki', format: 'pem' }).toString()
      const hex = Buffer.from(meter.key).toString('hex')
      const forms = [
        point.toString('hex'),
        point.subarray(1).toString('base64'),
        compressed.toString('hex'),
        hex,
        hex.toUpperCase().replace(/(....)/g, '$1 '),
        Buffer.from(meter.key).toString('base64'),
        pem,
        `oca:base16:asn1:${hex}`,
        Buffer.from(`oca:base16:asn1:${hex}`).toString('base64'),
        Buffer.from(hex).toString('base64'),
      ]
      for (const publicKey of forms) {
        const meterKey = meterKeyBytes(publicKey)
        const value = verifiedOf(await judgeSignedValue({ signedValues: 'refuse', meterKey }, { data, publicKey }))
        assert.deepEqual(value.flags, [], publicKey)
      }
    })
  }

  test('a key on another curve than announced verifies by its own, and is flagged', async () => {
    const meter = makeOcmfMeter('brainpoolP256r1', 'secp256r1')
    const judgement = await judgeSignedValue(
      { signedValues: 'refuse', meterKey: meter.key },
      { data: meter.sign(exportPayload('2')) },
    )
    assert.deepEqual(verifiedOf(judgement).flags, ['CURVE_DIFFERS'])
  })

  test('without SA the standard’s default or OCPP’s signing method holds', async () => {
    const meter = makeOcmfMeter()
    const plain = meter.sign(exportPayload('2'), { algorithm: undefined })
    const policy = { signedValues: 'refuse', meterKey: meter.key } as const
    assert.deepEqual(verifiedOf(await judgeSignedValue(policy, { data: plain })).flags, [])
    const long = meter.sign(exportPayload('2'), { algorithm: undefined, hash: 'sha512' })
    assert.equal(problemOf(await judgeSignedValue(policy, { data: long })), 'OCMF_BAD_SIGNATURE')
    const said = await judgeSignedValue(policy, { data: long, signingMethod: 'ECDSA-secp256r1-SHA512' })
    assert.equal(verifiedOf(said).readings.length, 1)
    const weak = meter.sign(exportPayload('2'), { algorithm: 'ECDSA-secp256r1-SHA1' })
    assert.equal(problemOf(await judgeSignedValue(policy, { data: weak })), 'OCMF_UNREADABLE')
  })

  test('the key that came along is compared, never used', async () => {
    const meter = makeOcmfMeter()
    const thief = makeOcmfMeter()
    const publicKey = Buffer.from(thief.key).toString('hex')
    const policy = { signedValues: 'refuse', meterKey: meter.key } as const
    const forged = { data: thief.sign(exportPayload('99')), publicKey }
    assert.equal(problemOf(await judgeSignedValue(policy, forged)), 'OCMF_BAD_SIGNATURE')
    const genuine = await judgeSignedValue(policy, { data: meter.sign(exportPayload('1')), publicKey })
    assert.deepEqual(verifiedOf(genuine).flags, ['KEY_DIFFERS'])
  })

  test('a configured key that is none says OCMF_KEY_UNKNOWN', async () => {
    const data = makeOcmfMeter().sign(exportPayload('1'))
    const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' })
    for (const meterKey of [new Uint8Array(0), new Uint8Array(65), new Uint8Array([0x30, 0x59]), ed25519]) {
      assert.equal(
        problemOf(await judgeSignedValue({ signedValues: 'refuse', meterKey }, { data })),
        'OCMF_KEY_UNKNOWN',
      )
    }
  })
})

describe('policy', () => {
  const meter = makeOcmfMeter()
  const policy = (signedValues: 'refuse' | 'check' | 'ignore') => ({ signedValues, meterKey: meter.key })

  test('no value: refused, flagged or ignored', async () => {
    assert.equal(problemOf(await judgeSignedValue(policy('refuse'), undefined)), 'OCMF_UNSIGNED')
    assert.equal(problemOf(await judgeSignedValue(policy('check'), undefined), 'FLAGGED'), 'OCMF_UNSIGNED')
    assert.deepEqual(await judgeSignedValue(policy('ignore'), undefined), { verdict: 'IGNORED', evidence: undefined })
  })

  test('each thing that can be wrong has its code, and what came is kept', async () => {
    const good = meter.sign(exportPayload('1'))
    const wrong: readonly [string, SignedValueCode][] = [
      ['', 'OCMF_UNSIGNED'],
      [good.slice(0, good.lastIndexOf('|')), 'OCMF_UNSIGNED'],
      [good.slice(0, good.lastIndexOf('|') + 1), 'OCMF_UNSIGNED'],
      [`${good.slice(0, good.lastIndexOf('|'))}|{"SD":""}`, 'OCMF_UNSIGNED'],
      [good.replace('"RV":1', '"RV":2'), 'OCMF_BAD_SIGNATURE'],
      [good.slice(0, -2), 'OCMF_UNREADABLE'],
      [`${good}x`, 'OCMF_UNREADABLE'],
      ['ALFEN|{}', 'OCMF_UNREADABLE'],
      ['{"signedMeterData":5}', 'OCMF_UNREADABLE'],
      ['{"signedMeterData":"{}"}', 'OCMF_UNREADABLE'],
      ['x'.repeat(200_000), 'OCMF_UNREADABLE'],
      [`OCMF|${'['.repeat(60_000)}`, 'OCMF_UNREADABLE'],
      [`OCMF|{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}|{"SD":"00"}`, 'OCMF_UNREADABLE'],
      [meter.sign(exportPayload('1', { RD: [] })), 'OCMF_UNREADABLE'],
      [meter.sign(exportPayload('1', {}, { RI: '1-0:1.8.0' })), 'OCMF_NOT_EXPORT'],
      [meter.sign(exportPayload('1', {}, { RI: '01-00:C2.08.00*FF' })), 'OCMF_NOT_EXPORT'],
      [meter.sign(exportPayload('1', {}, { TM: '1970-01-01T00:12:00,000+0000 U' })), 'OCMF_CLOCK'],
      [meter.sign(exportPayload('1', {}, { TM: '1970-01-01T00:12:00,000+0000 S' })), 'OCMF_CLOCK'],
      [meter.sign(exportPayload('1', {}, { EF: 't' })), 'OCMF_CLOCK'],
      [meter.sign(exportPayload('1', {}, { EF: 'Et' })), 'OCMF_METER_ERROR'],
      [meter.sign(exportPayload('1', {}, { ST: 'M' })), 'OCMF_METER_ERROR'],
      [meter.sign(exportPayload('1', {}, { TX: 'X' })), 'OCMF_METER_ERROR'],
      [meter.sign(exportPayload('-1')), 'OCMF_UNREADABLE'],
      [meter.sign(exportPayload('1', {}, { RU: 'kvarh' })), 'OCMF_UNREADABLE'],
    ]
    for (const [data, code] of wrong) {
      const judgement = await judgeSignedValue(policy('refuse'), { data })
      assert.equal(problemOf(judgement), code, data.slice(0, 300))
      assert.ok('evidence' in judgement && judgement.evidence !== undefined)
      assert.ok(judgement.evidence.length <= 200_000 && data.startsWith(Buffer.from(judgement.evidence).toString()))
      if (code !== 'OCMF_CLOCK')
        assert.equal(problemOf(await judgeSignedValue(policy('check'), { data }), 'FLAGGED'), code)
      assert.equal((await judgeSignedValue(policy('ignore'), { data })).verdict, 'IGNORED')
    }
    assert.equal(
      problemOf(await judgeSignedValue(policy('refuse'), { data: good, encodingMethod: 'EDL' })),
      'OCMF_UNREADABLE',
    )
  })

  test('where the policy only checks, a clock that is not set is a flag: the register is right', async () => {
    const data = meter.sign(exportPayload('1', {}, { TM: '1970-01-01T00:12:00,000+0000 U' }))
    const value = verifiedOf(await judgeSignedValue(policy('check'), { data }))
    assert.deepEqual(value.flags, ['CLOCK_NOT_SET'])
    assert.equal(value.readings[0]!.synchronised, false)
  })
})

test('what a process’s judge judged is counted, and gaps between pages are seen', async () => {
  const metrics = createMetrics({ service: 'test', process: false })
  const lines: string[] = []
  const judge = createOcmfJudge({
    metrics,
    log: pino({ level: 'info' }, { write: (line: string) => lines.push(line) }),
  })
  const meter = makeOcmfMeter('brainpoolP256r1', 'secp256r1')
  const policy = { signedValues: 'refuse', meterKey: meter.key } as const
  for (const page of ['T1', 'T2', 'T5', 'T5', 'F1']) {
    await judge(policy, { data: meter.sign(exportPayload('1', { PG: page })) })
  }
  await judge(policy, undefined)
  await judge({ ...policy, signedValues: 'ignore' }, undefined)
  const text = await metrics.text()
  const count = (name: string): string | undefined =>
    text.split(name.replace('}', ',service="test"} '))[1]?.split('\n')[0]
  assert.equal(count('ocmf_values_total{outcome="verified"}'), '5')
  assert.equal(count('ocmf_values_total{outcome="OCMF_UNSIGNED"}'), '1')
  assert.equal(count('ocmf_values_total{outcome="ignored"}'), '1')
  assert.equal(count('ocmf_flags_total{flag="CURVE_DIFFERS"}'), '5')
  for (const [order, times] of [
    ['FIRST', '2'],
    ['NEXT', '1'],
    ['MISSING', '1'],
    ['REPEATED', '1'],
  ]) {
    assert.equal(count(`ocmf_pages_total{order="${order}"}`), times)
  }
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).missing),
    [2],
  )
})

test('a configured key is looked at before any value comes', () => {
  const { key, publicKey } = makeOcmfMeter('secp384r1')
  const hex = Buffer.from(key).toString('hex')
  const point = Buffer.from(key).subarray(-97)
  const good = [hex, Buffer.from(key).toString('base64'), publicKey.export({ type: 'spki', format: 'pem' }).toString()]
  for (const text of [...good, point.toString('hex'), point.subarray(1).toString('base64')]) {
    assert.equal(meterKeyProblem(text), undefined)
  }
  const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' }).toString('hex')
  for (const text of ['', 'key!', hex.slice(0, -2), point.subarray(2).toString('hex'), ed25519, 'x'.repeat(9_000)]) {
    assert.equal(typeof meterKeyProblem(text), 'string', text)
  }
})
