import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Pkcs11SignerConfig, signerConfigSchema } from '../../../evse/signer/config.ts'
import { generateInToken } from '../../../evse/signer/hsmSigner.ts'
import { openSigner, openSigners, type SignerDeps } from '../../../evse/signer/openSigner.ts'
import { parseP256Key, verifyP256 } from '../../../protocol/p256.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { pause } from '../../../runtime/wait.ts'
import { eventLoopDelayMs, signInTurn } from '../../support/signLoad.ts'
import { certified } from '../../support/certified.ts'
import { makeSoftHsm, PIN, SOFTHSM_MODULE, type SoftHsm, skipWithoutSoftHsm, TOKEN } from '../../support/softHsm.ts'

const skip = await skipWithoutSoftHsm()
const deps: SignerDeps = { now: Date.now, log: silentLogger() }

describe('keys in a PKCS#11 token', { skip }, () => {
  let hsm: SoftHsm
  const configOf = (keyLabel: string, more: Partial<Pkcs11SignerConfig> = {}): Pkcs11SignerConfig =>
    signerConfigSchema.parse({
      kind: 'pkcs11',
      module: SOFTHSM_MODULE,
      token: TOKEN,
      pinFile: hsm.pinFile,
      keyLabel,
      ...more,
    }) as Pkcs11SignerConfig

  const generate = (config: Pkcs11SignerConfig): Promise<Uint8Array> => generateInToken(config, deps)

  before(async () => {
    hsm = await makeSoftHsm()
  })
  after(() => hsm[Symbol.asyncDispose]())

  test('a generated key signs what verifies under the key that was printed; the same name is not made twice', async () => {
    const config = configOf('evse-1', { keyId: '0x01AB' })
    const publicKey = await generate(config)
    await assert.rejects(generate(config), { code: 'HSM_KEY_EXISTS' })
    await using signer = await openSigner(config, deps)
    assert.deepEqual(signer.publicKey, publicKey)
    const message = randomBytes(56)
    const signature = await signer.sign(message)
    assert.equal(signature.length, 64)
    assert.ok(verifyP256(parseP256Key(publicKey), message, signature))
    assert.ok(!verifyP256(parseP256Key(publicKey), randomBytes(56), signature))
  })

  test('by id alone, by slot number, PIN from the environment', async () => {
    const publicKey = await generate(configOf('evse-2', { keyId: '02' }))
    const byId = configOf('x', {})
    delete (byId as { keyLabel?: string }).keyLabel
    await using signer = await openSigner({ ...byId, keyId: '02' }, deps)
    assert.deepEqual(signer.publicKey, publicKey)
    const listed = execFileSync('softhsm2-util', ['--show-slots'], { encoding: 'utf8' })
    const slot = Number(/^Slot (\d+)/m.exec(listed)![1])
    const { pinFile: _, token: __, ...rest } = configOf('evse-2')
    const environment = { EDGE_PIN: PIN }
    await using bySlot = await openSigner({ ...rest, slot, pinEnv: 'EDGE_PIN' }, { ...deps, environment })
    assert.deepEqual(bySlot.publicKey, publicKey)
    await assert.rejects(openSigner({ ...rest, slot, pinEnv: 'NOT_SET' }, { ...deps, environment }), {
      code: 'KEY_UNREADABLE',
    })
  })

  test('1 000 signatures at once for 20 keys: all right, none late, the event loop free', async (t) => {
    const configs = new Map(Array.from({ length: 20 }, (_, i) => [`evse-m${i}`, configOf(`evse-m${i}`)] as const))
    for (const config of configs.values()) await generate(config)
    const signers = await openSigners(configs, deps)
    const list = [...signers.values()]
    // An open one keeps the process, and the library for those that come after.
    await using opened = new AsyncDisposableStack()
    for (const signer of list) opened.use(signer)
    const started = performance.now()
    const signed = await Promise.all(
      Array.from({ length: 1_000 }, async (_, i) => {
        const message = randomBytes(56)
        const signer = list[i % list.length]!
        return { signer, message, signature: await signer.sign(message) }
      }),
    )
    t.diagnostic(`${Math.round(1_000_000 / (performance.now() - started))} signatures/s, all asked for at once`)
    for (const { signer, message, signature } of signed) {
      assert.ok(verifyP256(parseP256Key(signer.publicKey), message, signature))
    }
    const delayMs = await eventLoopDelayMs(() => signInTurn(list, 500))
    t.diagnostic(`event loop at most ${delayMs} ms late while 20 keys sign`)
    assert.ok(delayMs < 250, `the event loop was blocked for ${delayMs} ms`)
    await opened.disposeAsync()
    await assert.rejects(list[0]!.sign(new Uint8Array(56)), { code: 'SIGNER_CLOSED' })
  })

  test('a wrong PIN is said so, and is not tried again', async () => {
    const wrong = join(hsm.folder, 'wrong')
    await writeFile(wrong, '9999\n', { mode: 0o600 })
    const config = configOf('evse-1', { pinFile: wrong })
    await using _keepsTheThread = await openSigner(configOf('evse-1'), deps).catch(() => undefined)
    // The library is logged in for the whole process: give it back first.
    await _keepsTheThread?.close()
    for (let i = 0; i < 8; i++) {
      await assert.rejects(
        openSigner(config, deps),
        (error) => isBackfeedError(error, 'HSM_PIN_REFUSED') && !error.retryable,
      )
    }
    await using signer = await openSigner(configOf('evse-1'), deps)
    assert.equal((await signer.sign(new Uint8Array(1))).length, 64)
  })

  test('a missing key, token and library each have a message of their own', async () => {
    await assert.rejects(openSigner(configOf('nobody'), deps), {
      code: 'HSM_KEY_MISSING',
      message: /no private EC key “nobody”/,
    })
    await assert.rejects(openSigner(configOf('evse-1', { token: 'elsewhere' }), deps), {
      code: 'HSM_UNAVAILABLE',
      message: /no such token/,
    })
    await assert.rejects(openSigner(configOf('evse-1', { module: '/nowhere/lib.so' }), deps), {
      code: 'HSM_UNAVAILABLE',
      retryable: false,
    })
    const several = new Map([
      ['a', configOf('evse-1')],
      ['b', configOf('nobody')],
    ])
    await assert.rejects(openSigners(several, deps), { code: 'SIGNERS_FAILED', message: /^b: .*nobody/ })
  })

  test('a token that goes and comes back: retryable errors between, then the same signer signs again', async () => {
    await generate(configOf('evse-away'))
    await using signer = await openSigner(configOf('evse-away'), deps)
    const away = `${hsm.tokens}.away`
    await rename(hsm.tokens, away)
    await assert.rejects(
      signer.sign(randomBytes(8)),
      (error) => isBackfeedError(error, 'HSM_UNAVAILABLE') && error.retryable,
    )
    await assert.rejects(signer.sign(randomBytes(8)), { code: 'HSM_UNAVAILABLE' })
    await rename(away, hsm.tokens)
    const message = randomBytes(8)
    let signature: Uint8Array | undefined
    const deadline = performance.now() + 120_000
    while (signature === undefined) {
      assert.ok(performance.now() < deadline, 'the token was not found again')
      signature = await signer.sign(message).catch(() => undefined)
      await pause(20)
    }
    assert.ok(verifyP256(parseP256Key(signer.publicKey), message, signature))
  })

  test('the key’s certificate in the token, or in a file, ends its signatures', async () => {
    const config = configOf('evse-cert', { keyId: 'cc' })
    const publicKey = await generate(config)
    const issuer = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const endMs = Date.UTC(2026, 5, 1)
    const jwk = { kty: 'EC', crv: 'P-256', x: base64url(publicKey, 0), y: base64url(publicKey, 32) }
    const subject = createPublicKey({ key: jwk, format: 'jwk' })
    const term = { notBeforeMs: Date.UTC(2026, 0, 1), notAfterMs: endMs }
    const pem = await certified({ publicKey: subject, privateKey: issuer.privateKey }, term)
    const certificateFile = join(hsm.folder, 'evse-cert.pem')
    await writeFile(certificateFile, pem)
    let nowMs = endMs - 40 * 24 * 3600 * 1000
    const at = { ...deps, now: () => nowMs }
    const inToken = { ...config, certificateInToken: true }
    await assert.rejects(openSigner(inToken, at), { code: 'HSM_KEY_MISSING', message: /no certificate/ })
    putCertificate(new X509Certificate(pem).raw, 'evse-cert', 'cc')
    for (const how of [inToken, { ...config, certificateFile }]) {
      nowMs = endMs - 40 * 24 * 3600 * 1000
      await using signer = await openSigner(how, at)
      assert.equal(signer.expiresAtMs, endMs)
      assert.equal((await signer.sign(new Uint8Array(1))).length, 64)
      nowMs = endMs + 1
      await assert.rejects(signer.sign(new Uint8Array(1)), { code: 'ERR_AUTH_EXPIRED' })
      await assert.rejects(openSigner(how, at), { code: 'ERR_AUTH_EXPIRED' })
    }
  })

  test('another process made it: the key of the token outlives everything', async () => {
    const script = `
      import { openSigner } from ${JSON.stringify(new URL('../../../evse/signer/openSigner.ts', import.meta.url).href)}
      import { silentLogger } from ${JSON.stringify(new URL('../../../runtime/log.ts', import.meta.url).href)}
      const signer = await openSigner(JSON.parse(process.argv[1]), { now: Date.now, log: silentLogger() })
      process.stdout.write(Buffer.from(await signer.sign(Buffer.from('restart'))).toString('hex'))
      await signer.close()`
    const signed = execFileSync(
      process.execPath,
      ['--input-type=module', '-e', script, JSON.stringify(configOf('evse-1'))],
      {
        encoding: 'utf8',
        cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      },
    )
    await using signer = await openSigner(configOf('evse-1'), deps)
    assert.ok(verifyP256(parseP256Key(signer.publicKey), Buffer.from('restart'), Buffer.from(signed, 'hex')))
  })
})

const base64url = (bytes: Uint8Array, at: number): string =>
  Buffer.from(bytes.subarray(at, at + 32)).toString('base64url')

/** By a process of its own: the library is initialised once a process. */
function putCertificate(der: Uint8Array, label: string, id: string): void {
  const script = `
    const { PKCS11 } = require('pkcs11js')
    const hsm = new PKCS11()
    hsm.load(${JSON.stringify(SOFTHSM_MODULE)})
    hsm.C_Initialize()
    const slot = hsm.C_GetSlotList(true).find((s) => hsm.C_GetTokenInfo(s).label.trim() === ${JSON.stringify(TOKEN)})
    const session = hsm.C_OpenSession(slot, 6)
    hsm.C_Login(session, 1, ${JSON.stringify(PIN)})
    hsm.C_CreateObject(session, [
      { type: 0, value: 1 }, { type: 1, value: true }, { type: 0x80, value: 0 }, { type: 3, value: ${JSON.stringify(label)} },
      { type: 0x102, value: Buffer.from(${JSON.stringify(id)}, 'hex') }, { type: 0x101, value: Buffer.from('3000', 'hex') },
      { type: 0x11, value: Buffer.from(${JSON.stringify(Buffer.from(der).toString('hex'))}, 'hex') },
    ])
    hsm.C_Finalize()`
  execFileSync(process.execPath, ['-e', script], { cwd: fileURLToPath(new URL('../../..', import.meta.url)) })
}
