import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { judgeSignedValue } from '../../../gateway/ocmf/judge.ts'
import { meterKeyBytes } from '../../../gateway/ocmf/meterKey.ts'
import { parseOcmf } from '../../../gateway/ocmf/ocmfDocument.ts'
import type { ReceivedValue, SignedValuePolicy } from '../../../gateway/ocmf/signedValue.ts'
import { readTransparencyXml } from '../../../gateway/ocmf/transparencyXml.ts'
import { sharedData, skipWithout } from '../../support/sharedData.ts'
import { byNight } from '../../support/nightly.ts'

/** By day every fifth byte: a run over all of them takes half a minute. */
const STEP = byNight === false ? 1 : 5

const FOLDER = 'ocmf'

type Expected = string | readonly (readonly [number, string])[]

/** What each sample holds, read by hand: readings of the export register in 10^-3 Wh with their time, or the code of the problem. */
const EXPECTED: Readonly<Record<string, readonly Expected[]>> = {
  'Ocmf_Example_OBIS_98.8.0_2.8.0.xml': [
    [
      [1_000_000, '2021-09-02T10:29:53.000Z'],
      [2_000_000, '2021-09-02T10:30:07.000Z'],
    ],
  ],
  'VW_OCMF_load.xml': [
    [
      [4_405_000, '2021-10-06T11:13:56.000Z'],
      [4_405_000, '2021-10-06T11:15:13.000Z'],
    ],
  ],
  'brainpoolP256r1.xml': ['OCMF_NOT_EXPORT', 'OCMF_NOT_EXPORT'],
  'nistP384_0Wh.xml': ['OCMF_NOT_EXPORT', 'OCMF_NOT_EXPORT'],
  'test_ocmf_ebee_01.xml': ['OCMF_NOT_EXPORT', 'OCMF_NOT_EXPORT'],
  'test_ocmf_keba_kcp30.xml': ['OCMF_NOT_EXPORT'],
  'test_ocmf_keba_kcp30_fail.xml': ['OCMF_BAD_SIGNATURE'],
}

const samples =
  skipWithout(FOLDER) === false ? readdirSync(sharedData(FOLDER)).filter((name) => name.endsWith('.xml')) : []
const valuesOf = (name: string): ReceivedValue[] =>
  readTransparencyXml(readFileSync(`${sharedData(FOLDER)}/${name}`, 'utf8'))
const policyOf = ({ publicKey }: ReceivedValue): SignedValuePolicy => ({
  signedValues: 'check',
  meterKey: meterKeyBytes(publicKey!),
})

describe('values of real meters', { skip: skipWithout(FOLDER) }, () => {
  for (const name of samples) {
    test(`${name} says what it says`, async () => {
      const expected = EXPECTED[name]
      assert.ok(expected, 'a sample that nobody has read')
      const values = valuesOf(name)
      assert.equal(values.length, expected.length)
      for (const [index, value] of values.entries()) {
        const judgement = await judgeSignedValue(policyOf(value), value)
        const wanted: Expected = expected[index]!
        if (typeof wanted === 'string') {
          assert.ok(judgement.verdict === 'FLAGGED')
          assert.equal(judgement.problem.code, wanted)
        } else {
          assert.ok(judgement.verdict === 'VERIFIED')
          const { readings, flags } = judgement.value
          assert.deepEqual(
            readings.map(({ exportMilliWh, atMs }) => [exportMilliWh, new Date(atMs).toISOString()]),
            wanted,
          )
          assert.deepEqual(flags, [])
        }
        assert.equal(Buffer.from(judgement.evidence!).toString(), value.data.trim())
      }
    })
  }

  test('in every envelope of OCPP the same value gives the same judgement, key and all', async () => {
    for (const value of samples.flatMap(valuesOf)) {
      const ocmf = value.data.trim()
      const base64 = Buffer.from(ocmf).toString('base64')
      const publicKey = Buffer.from(`oca:base16:asn1:${value.publicKey!.replace(/\s/g, '')}`).toString('base64')
      const inner = { signedMeterData: base64, signingMethod: '', encodingMethod: 'OCMF', publicKey }
      const forms: ReceivedValue[] = [
        { data: base64, encodingMethod: 'OCMF', signingMethod: '', publicKey },
        { data: base64, encodingMethod: '', signingMethod: '', publicKey: '' },
        { data: ocmf },
        { data: `\uFEFF${ocmf}\n` },
        { data: Buffer.from(ocmf).toString('hex').toUpperCase() },
        { data: JSON.stringify(inner) },
      ]
      const plain = await judgeSignedValue(policyOf(value), value)
      for (const form of forms) assert.deepEqual(await judgeSignedValue(policyOf(value), form), plain)
    }
  })

  test('no byte of a payload may change, be left out or be added, nor the value be written anew', async () => {
    let mutations = 0
    // One flipped bit makes the sample that must fail the one that must not.
    const genuine = samples.filter((name) => !name.includes('_fail'))
    for (const value of genuine.flatMap(valuesOf)) {
      const policy = policyOf(value)
      const bytes = Buffer.from(value.data.trim())
      const { payload } = parseOcmf(bytes)
      const [from, to] = [5, 5 + payload.length]
      const variants: Buffer[] = []
      for (let at = from; at < to; at += STEP) {
        for (const bit of [0x01, 0x20, 0x80]) {
          const changed = Buffer.from(bytes)
          changed[at]! ^= bit
          variants.push(changed)
        }
        variants.push(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]))
        variants.push(Buffer.concat([bytes.subarray(0, at), Buffer.from(' '), bytes.subarray(at)]))
      }
      for (const variant of variants) {
        const judgement = await judgeSignedValue(policy, { data: variant.toString('base64') })
        assert.notEqual(judgement.verdict, 'VERIFIED')
        assert.ok('problem' in judgement && judgement.problem.code !== 'OCMF_NOT_EXPORT', 'the signature was believed')
        mutations++
      }
    }
    assert.ok(mutations > 10_000 / STEP)
  })

  test('no bit of a signature may change', async () => {
    for (const value of samples.flatMap(valuesOf)) {
      const policy = policyOf(value)
      const [head, sd, tail] = /^([\s\S]*"SD"\s*:\s*")([0-9A-F]+)("[\s\S]*)$/.exec(value.data.trim())!.slice(1) as [
        string,
        string,
        string,
      ]
      for (let digit = 0; digit < sd.length; digit++) {
        const other = (Number.parseInt(sd[digit]!, 16) ^ (1 << (digit % 4))).toString(16)
        const data = `${head}${sd.slice(0, digit)}${other}${sd.slice(digit + 1)}${tail}`
        const judgement = await judgeSignedValue(policy, { data })
        assert.ok('problem' in judgement)
        assert.equal(judgement.problem.code, 'OCMF_BAD_SIGNATURE')
      }
    }
  })

  test('another meter’s key verifies nothing, and the one that came along is not believed', async () => {
    const values = samples.flatMap(valuesOf)
    const [first] = values
    for (const value of values.slice(1)) {
      if (value.publicKey === first!.publicKey) continue
      const judgement = await judgeSignedValue(policyOf(first!), value)
      assert.ok('problem' in judgement)
      assert.equal(judgement.problem.code, 'OCMF_BAD_SIGNATURE')
    }
    const none = await judgeSignedValue({ signedValues: 'refuse', meterKey: undefined }, first!)
    assert.ok(none.verdict === 'REFUSED')
    assert.equal(none.problem.code, 'OCMF_KEY_UNKNOWN')
  })
})
