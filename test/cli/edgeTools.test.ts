import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openSigner } from '../../evse/signer/openSigner.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { silentLogger } from '../../runtime/log.ts'
import { backfeed } from '../support/commandLine.ts'
import { exportPayload, makeOcmfMeter } from '../support/ocmfMeter.ts'
import { sharedData, skipWithout } from '../support/sharedData.ts'
import { makeSoftHsm, SOFTHSM_MODULE, skipWithoutSoftHsm, TOKEN } from '../support/softHsm.ts'

const folder = mkdtempSync(join(tmpdir(), 'edge-tools-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const deps = { now: Date.now, log: silentLogger() }

test('keygen --kind evse-pem: the printed key is the one that signs, mode 600, never overwritten', async () => {
  const keyFile = join(folder, 'evse.pem')
  const made = await backfeed(['admin', 'keygen', '--kind', 'evse-pem', '--out', keyFile])
  assert.match(made.out, /^public key 0x[0-9a-f]{128}$/)
  assert.equal(statSync(keyFile).mode & 0o777, 0o600)
  assert.equal((await backfeed(['admin', 'keygen', '--kind', 'evse-pem', '--out', keyFile])).code, 2)
  await using signer = await openSigner({ kind: 'file', keyFile }, deps)
  assert.equal(`public key 0x${Buffer.from(signer.publicKey).toString('hex')}`, made.out)
})

test('keygen --pkcs11-module makes the key in the token', { skip: await skipWithoutSoftHsm() }, async () => {
  await using hsm = await makeSoftHsm()
  const where = ['--pkcs11-module', SOFTHSM_MODULE, '--token', TOKEN, '--pin-file', hsm.pinFile, '--label', 'evse-9']
  const made = await backfeed(['admin', 'keygen', ...where])
  assert.match(made.out, /^public key 0x[0-9a-f]{128}$/, made.err)
  const again = await backfeed(['admin', 'keygen', ...where])
  assert.match(again.err, /HSM_KEY_EXISTS/)
  assert.equal((await backfeed(['admin', 'keygen', ...where, '--out', join(folder, 'x')])).code, 2)
  assert.match((await backfeed(['admin', 'keygen', '--pkcs11-module', SOFTHSM_MODULE])).err, /token.*pinFile.*keyLabel/)
  const config = {
    kind: 'pkcs11',
    module: SOFTHSM_MODULE,
    token: TOKEN,
    pinFile: hsm.pinFile,
    keyLabel: 'evse-9',
  } as const
  await using signer = await openSigner({ ...config, certificateInToken: false }, deps)
  assert.equal(`public key 0x${Buffer.from(signer.publicKey).toString('hex')}`, made.out)
  const message = Buffer.from('record')
  assert.ok(verifyP256(parseP256Key(signer.publicKey), message, await signer.sign(message)))
})

describe('check-ocmf', () => {
  const meter = makeOcmfMeter()
  const key = Buffer.from(meter.key).toString('hex')
  const fileOf = (content: string): string => {
    const path = join(folder, `value${Math.floor(performance.now() * 1e6)}`)
    writeFileSync(path, content)
    return path
  }

  test('says what a value says; exit code 4 when it is not rightly signed', async () => {
    const value = meter.sign(exportPayload('12.3456'))
    const good = await backfeed(['gateway', 'check-ocmf', fileOf(value), '--key', key])
    assert.equal(good.code, 0, good.err)
    assert.match(
      good.out,
      /rightly signed[\s\S]*meter M1[\s\S]*page T7[\s\S]*12345\.600 Wh exported \(2\.8\.0\) charging/,
    )
    const pem = fileOf(meter.publicKey.export({ type: 'spki', format: 'pem' }).toString())
    const base64 = fileOf(Buffer.from(value).toString('base64'))
    assert.equal((await backfeed(['gateway', 'check-ocmf', base64, '--key', pem])).code, 0)
    const forged = await backfeed(['gateway', 'check-ocmf', fileOf(value.replace('12.3456', '92.3456')), '--key', key])
    assert.equal(forged.code, 4)
    assert.match(forged.out, /OCMF_BAD_SIGNATURE/)
    assert.equal((await backfeed(['gateway', 'check-ocmf', fileOf(value)])).code, 2)
    assert.equal((await backfeed(['gateway', 'check-ocmf', join(folder, 'nothing'), '--key', key])).code, 2)
  })

  test('reads the files of transparency software', { skip: skipWithout('ocmf') }, async () => {
    // The others are read in test/gateway/ocmf: a process each takes seconds.
    for (const name of ['VW_OCMF_load.xml', 'test_ocmf_keba_kcp30_fail.xml']) {
      const path = `${sharedData('ocmf')}/${name}`
      const said = await backfeed(['gateway', 'check-ocmf', path, '--trust-file-keys'])
      assert.equal(said.code, name.includes('_fail') ? 4 : 0, `${name}: ${said.out} ${said.err}`)
      assert.equal(said.out.match(/^value/gm)?.length, readFileSync(path, 'utf8').match(/<value\s|<value>/g)?.length)
    }
  })
})
