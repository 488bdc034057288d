import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startDevnetBroker } from '../../../devnet/broker.ts'
import type { BrokerConfig } from '../../../evse/mqtt/config.ts'
import { readCredentials } from '../../../evse/mqtt/credentials.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { createPki, type Pki } from '../../gateway/mqtt/pki.ts'
import { openIdleLink } from '../../gateway/mqtt/site.ts'
import { until } from '../../support/until.ts'

async function pkiOf(t: TestContext): Promise<Pki> {
  const folder = await mkdtemp(join(tmpdir(), 'backfeed-mqtt-'))
  t.after(() => rm(folder, { recursive: true }))
  return await createPki(folder)
}

const at = (url: string, files: object): BrokerConfig => ({ url, protocol: 'auto', keepaliveSeconds: 15, ...files })
const only = ({ caFile, certFile, keyFile }: Record<'caFile' | 'certFile' | 'keyFile', string>) => ({
  caFile,
  certFile,
  keyFile,
})
const hasCode = (code: string, text: RegExp) => (error: unknown) =>
  isBackfeedError(error, code) && text.test(error.message)

test('certificates and keys that must not be used are refused by what is wrong with them', async (t) => {
  const pki = await pkiOf(t)
  const good = only(await pki.issue('evse-1'))
  const url = 'mqtts://127.0.0.1:1'
  const now = Date.now()
  assert.ok(readCredentials(at(url, good), now).expiresAtMs! > now)

  const over = only(await pki.issue('evse-2', { isExpired: true }))
  assert.throws(() => readCredentials(at(url, over), now), hasCode('ERR_AUTH_EXPIRED', /ended/))
  assert.throws(() => readCredentials(at(url, good), now - 30 * 86_400_000), hasCode('ERR_AUTH_EXPIRED', /begins/))
  await chmod(good.keyFile, 0o640)
  assert.throws(() => readCredentials(at(url, good), now), hasCode('ERR_AUTH_EXPIRED', /mode 640: chmod 600/))
  await chmod(good.keyFile, 0o600)
  const { certFile, keyFile } = good
  assert.throws(() => readCredentials(at(url, { certFile }), now), hasCode('CONFIG_INVALID', /together/))
  assert.throws(
    () => readCredentials(at(url, { certFile, keyFile, caFile: `${keyFile}.none` }), now),
    hasCode('CREDENTIALS_UNREADABLE', /none/),
  )
  assert.throws(
    () => readCredentials(at(url, { certFile: keyFile, keyFile }), now),
    hasCode('CREDENTIALS_UNREADABLE', /evse-1/),
  )
  const passwordFile = join(pki.folder, 'password')
  await writeFile(passwordFile, 'secret\nmore\n', { mode: 0o600 })
  assert.equal(readCredentials(at(url, { passwordFile }), now).password, 'secret')
})

async function faultAt(t: TestContext, config: BrokerConfig): Promise<string> {
  const link = openIdleLink(t, config)
  await until(() => link.fault !== undefined)
  assert.equal(link.isUp, false)
  return link.fault!.code
}

test('a link says why it does not stand', async (t) => {
  const pki = await pkiOf(t)
  const other = await pkiOf(t)
  const client = only(await pki.issue('evse-1'))
  const broker = await startDevnetBroker({ tls: await pki.issue('broker') })
  const overBroker = await startDevnetBroker({ tls: await pki.issue('over', { isExpired: true }) })
  t.after(() => Promise.all([broker.close(), overBroker.close()]))

  assert.equal(await faultAt(t, at(overBroker.url, client)), 'ERR_AUTH_EXPIRED')
  const strangersCa = { ...client, caFile: (await other.issue('evse-1')).caFile }
  assert.equal(await faultAt(t, at(broker.url, strangersCa)), 'MQTT_REFUSED')
  assert.equal(await faultAt(t, at('mqtt://127.0.0.1:1', {})), 'BROKER_UNREACHABLE')
})

test('a renewed certificate is shown at the next connection', async (t) => {
  const pki = await pkiOf(t)
  const broker = await startDevnetBroker({ tls: await pki.issue('broker') })
  t.after(() => broker.close())
  const config = at(broker.url, only(await pki.issue('evse-1')))
  const link = openIdleLink(t, config, { subscriptions: { 'backfeed/v1/1/evse-1/commands': 1 } })
  assert.ok(await link.whenUp(60_000))
  // Of another name: it may no longer subscribe, which shows that it is the one that was shown.
  const renewed = await pki.issue('evse-2')
  await writeFile(config.certFile!, renewed.cert)
  await writeFile(config.keyFile!, renewed.key)
  link.drop()
  await until(() => link.fault?.code === 'MQTT_REFUSED')
})
