import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pino } from 'pino'
import { signerConfigSchema } from '../../../evse/signer/config.ts'
import { publicPoint } from '../../../evse/signer/keyFile.ts'
import { openSigner, type SignerDeps } from '../../../evse/signer/openSigner.ts'
import { createSignerMetrics } from '../../../evse/signer/signerMetrics.ts'
import { parseP256Key, verifyP256 } from '../../../protocol/p256.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { eventLoopDelayMs, signInTurn } from '../../support/signLoad.ts'
import { certified } from '../../support/certified.ts'

const DAY_MS = 24 * 3600 * 1000
const START_MS = Date.UTC(2026, 0, 1)
const END_MS = START_MS + 365 * DAY_MS

describe('a key in a file', () => {
  let folder: string
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const deps: SignerDeps = { now: () => START_MS + DAY_MS, log: silentLogger() }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'signer-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  let files = 0
  async function file(content: string | Uint8Array, mode = 0o600): Promise<string> {
    const path = join(folder, `file${files++}`)
    await writeFile(path, content)
    await chmod(path, mode)
    return path
  }
  const pem = (key: KeyObject, type: 'pkcs8' | 'sec1'): string => key.export({ type, format: 'pem' }).toString()

  test('PKCS#8, SEC1 and the hex of keygen are the same key, and what it signs verifies', async () => {
    const { d = '' } = pair.privateKey.export({ format: 'jwk' })
    const forms = [
      pem(pair.privateKey, 'pkcs8'),
      pem(pair.privateKey, 'sec1'),
      `0x${Buffer.from(d, 'base64url').toString('hex')}\n`,
    ]
    for (const form of forms) {
      await using signer = await openSigner({ kind: 'file', keyFile: await file(form) }, deps)
      assert.deepEqual(signer.publicKey, publicPoint(pair.privateKey))
      assert.equal(signer.expiresAtMs, undefined)
      const message = randomBytes(56)
      const signature = await signer.sign(message)
      assert.ok(verifyP256(parseP256Key(signer.publicKey), message, signature))
      message[0]! ^= 1
      assert.ok(!verifyP256(parseP256Key(signer.publicKey), message, signature))
    }
  })

  test('a key that others may read is refused as ERR_AUTH_EXPIRED, and the message says chmod 600', async () => {
    for (const mode of [0o644, 0o640, 0o604, 0o660, 0o700, 0o666]) {
      const keyFile = await file(pem(pair.privateKey, 'pkcs8'), mode)
      await assert.rejects(openSigner({ kind: 'file', keyFile }, deps), (error) => {
        assert.ok(isBackfeedError(error, 'ERR_AUTH_EXPIRED'))
        assert.equal(error.details.reason, 'PERMISSIONS')
        assert.match(error.message, /chmod 600/)
        return true
      })
    }
    const keyFile = await file(pem(pair.privateKey, 'pkcs8'), 0o400)
    await using signer = await openSigner({ kind: 'file', keyFile }, deps)
    assert.equal(signer.publicKey.length, 64)
  })

  test('what is no P-256 key is refused', async () => {
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    const locked = pair.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    for (const content of [
      pem(p384, 'pkcs8'),
      locked,
      '',
      'key',
      pair.publicKey.export({ type: 'spki', format: 'pem' }),
    ]) {
      await assert.rejects(openSigner({ kind: 'file', keyFile: await file(content) }, deps), { code: 'KEY_UNREADABLE' })
    }
    await assert.rejects(openSigner({ kind: 'file', keyFile: join(folder, 'nothing') }, deps), {
      code: 'KEY_UNREADABLE',
    })
  })

  test('a certificate’s term is honoured at the start and at each signature, and its end told 30 days ahead once a day', async () => {
    const keyFile = await file(pem(pair.privateKey, 'pkcs8'))
    const certificate = await certified(pair, { notBeforeMs: START_MS, notAfterMs: END_MS })
    const certificateFile = await file(certificate, 0o644)
    const lines: string[] = []
    const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) })
    let nowMs = END_MS - 31 * DAY_MS
    const metrics = createMetrics({ service: 'test', process: false })
    await using signer = await openSigner(
      { kind: 'file', keyFile, certificateFile },
      { now: () => nowMs, log, metrics: createSignerMetrics(metrics) },
    )
    assert.equal(signer.expiresAtMs, END_MS)
    await signer.sign(new Uint8Array(1))
    assert.equal(lines.length, 0)
    nowMs += 2 * DAY_MS
    await signer.sign(new Uint8Array(1))
    await signer.sign(new Uint8Array(1))
    assert.equal(lines.length, 1)
    nowMs += DAY_MS
    await signer.sign(new Uint8Array(1))
    assert.equal(lines.length, 2)
    nowMs = END_MS
    await signer.sign(new Uint8Array(1))
    nowMs = END_MS + 1
    await assert.rejects(signer.sign(new Uint8Array(1)), { code: 'ERR_AUTH_EXPIRED', details: { reason: 'EXPIRED' } })
    for (const [at, reason] of [
      [END_MS + 1, 'EXPIRED'],
      [START_MS - 1, 'NOT_YET_VALID'],
    ] as const) {
      const opening = openSigner({ kind: 'file', keyFile, certificateFile }, { now: () => at, log })
      await assert.rejects(opening, { code: 'ERR_AUTH_EXPIRED', details: { reason } })
    }
    const text = await metrics.text()
    assert.match(text, /backfeed_signer_signatures_total\{kind="file",outcome="ok",service="test"\} 5/)
    assert.match(text, /backfeed_signer_signatures_total\{kind="file",outcome="ERR_AUTH_EXPIRED",service="test"\} 1/)
    assert.match(text, new RegExp(`certificate_end_timestamp_seconds\\{.*\\} ${END_MS / 1000}`))
  })

  test('a certificate of another key is refused', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const certificate = await certified(other, { notBeforeMs: START_MS, notAfterMs: END_MS })
    const keyFile = await file(pem(pair.privateKey, 'pkcs8'))
    for (const content of [certificate, 'certificate']) {
      const opening = openSigner({ kind: 'file', keyFile, certificateFile: await file(content, 0o644) }, deps)
      await assert.rejects(opening, { code: 'CERTIFICATE_INVALID' })
    }
  })

  test('1 000 signatures at once, the event loop free while it signs; too many are refused, none is lost', async (t) => {
    const keyFile = await file(pem(pair.privateKey, 'sec1'))
    const signer = await openSigner({ kind: 'file', keyFile }, deps)
    const started = performance.now()
    const all = await Promise.all(Array.from({ length: 1_000 }, () => signer.sign(randomBytes(56))))
    assert.equal(all.length, 1_000)
    t.diagnostic(`${Math.round(1_000_000 / (performance.now() - started))} signatures/s, all asked for at once`)
    const delayMs = await eventLoopDelayMs(() => signInTurn([signer], 500))
    t.diagnostic(`event loop at most ${delayMs} ms late while it signs`)
    assert.ok(delayMs < 250, `the event loop was blocked for ${delayMs} ms`)
    const flood = await Promise.allSettled(Array.from({ length: 9_000 }, () => signer.sign(new Uint8Array(1))))
    const refused = flood.filter((result) => result.status === 'rejected')
    assert.equal(refused.length, 9_000 - 8_192)
    for (const { reason } of refused) assert.ok(isBackfeedError(reason, 'SIGNER_BUSY') && reason.retryable)
    const last = signer.sign(new Uint8Array(1))
    await signer.close()
    assert.equal((await last).length, 64)
    await assert.rejects(signer.sign(new Uint8Array(1)), { code: 'SIGNER_CLOSED' })
  })

  test('configuration that names too much or too little is refused by key', () => {
    const hsm = { kind: 'pkcs11', module: '/lib.so', token: 't', pinFile: 'p', keyLabel: 'k' }
    assert.ok(signerConfigSchema.safeParse(hsm).success)
    const wrong: readonly [string, object][] = [
      ['token', { ...hsm, slot: 0 }],
      ['token', { ...hsm, token: undefined }],
      ['pinFile', { ...hsm, pinEnv: 'PIN' }],
      ['keyLabel', { ...hsm, keyLabel: undefined }],
      ['keyId', { ...hsm, keyId: '0x1' }],
      ['module', { ...hsm, module: 'lib.so' }],
      ['certificateFile', { ...hsm, certificateInToken: true, certificateFile: 'c' }],
      ['keyFile', { kind: 'file' }],
    ]
    for (const [key, value] of wrong) {
      const result = signerConfigSchema.safeParse(value)
      assert.deepEqual(
        result.error?.issues.map((issue) => issue.path.join('.')),
        [key],
      )
    }
    assert.ok(!signerConfigSchema.safeParse({ kind: 'file', keyFile: 'k', keyFlie: 'k' }).success)
  })
})
