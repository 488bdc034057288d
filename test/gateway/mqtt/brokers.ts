import type { TestContext } from 'node:test'
import mqtt, { type MqttClient } from 'mqtt'
import { startDevnetBroker } from '../../../devnet/broker.ts'
import type { BrokerConfig } from '../../../evse/mqtt/config.ts'
import { readCredentials } from '../../../evse/mqtt/credentials.ts'
import { startMosquitto, withoutMosquitto } from './mosquitto.ts'
import { createPki, type Pki } from './pki.ts'
import { nameOf, plainBroker, temporaryFolder } from './site.ts'

/** One of the brokers that everything is tried over. */
export interface TestBroker {
  readonly url: string
  /** What the gateway is configured with. */
  readonly gateway: BrokerConfig
  readonly protocol: '5' | '3.1.1'
  configOf(name: string): Promise<BrokerConfig>
  evse(slot: number): Promise<BrokerConfig>
  /** As hard as it gets: nothing is saved before it goes. */
  crash(downMs: number): Promise<void>
}

export const BROKERS: readonly {
  readonly name: string
  readonly skip: string | false
  open(t: TestContext): Promise<TestBroker>
}[] = [
  { name: 'aedes', skip: false, open: overAedes },
  { name: 'aedes over TLS', skip: false, open: overAedesTls },
  { name: 'mosquitto', skip: withoutMosquitto, open: overMosquitto },
]

async function overAedes(t: TestContext): Promise<TestBroker> {
  const broker = await startDevnetBroker()
  t.after(() => broker.close())
  const configOf = async (name: string): Promise<BrokerConfig> => ({ ...plainBroker(broker.url), username: name })
  return await named(broker.url, '3.1.1', configOf, (downMs) => broker.restart(downMs))
}

async function overAedesTls(t: TestContext): Promise<TestBroker> {
  const pki = await createPki(await temporaryFolder(t))
  const broker = await startDevnetBroker({ tls: await pki.issue('broker') })
  t.after(() => broker.close())
  return await named(broker.url, '3.1.1', certified(pki, broker.url), (downMs) => broker.restart(downMs))
}

export async function overMosquitto(t: TestContext, edit?: (conf: string) => string): Promise<TestBroker> {
  const pki = await createPki(await temporaryFolder(t))
  const mosquitto = await startMosquitto(pki, edit)
  t.after(() => mosquitto.kill())
  return await named(mosquitto.url, '5', certified(pki, mosquitto.url), async (downMs) => {
    await mosquitto.kill()
    await new Promise((resolve) => setTimeout(resolve, downMs))
    await mosquitto.start()
  })
}

function certified(pki: Pki, url: string): (name: string) => Promise<BrokerConfig> {
  const issued = new Map<string, BrokerConfig>()
  return async (name) => {
    const { caFile, certFile, keyFile } = issued.get(name) ?? (await pki.issue(name))
    const config = { ...plainBroker(url), caFile: caFile!, certFile: certFile!, keyFile: keyFile! }
    issued.set(name, config)
    return config
  }
}

async function named(
  url: string,
  protocol: TestBroker['protocol'],
  configOf: TestBroker['configOf'],
  crash: TestBroker['crash'],
): Promise<TestBroker> {
  return {
    url,
    protocol,
    configOf,
    crash,
    gateway: await configOf('backfeed-gateway'),
    evse: (slot) => configOf(nameOf(slot)),
  }
}

/** A client that does nothing by itself: what a device of another maker may send. */
export async function rawClient(
  t: TestContext,
  config: BrokerConfig,
  options: { clientId: string; version: 4 | 5; clean?: boolean },
): Promise<MqttClient> {
  const { expiresAtMs: _, ...credentials } = readCredentials(config, Date.now())
  const { clientId, version, clean = true } = options
  const client = await mqtt.connectAsync(config.url, {
    ...credentials,
    clientId,
    clean,
    protocolVersion: version,
    reconnectPeriod: 50,
  })
  client.on('error', () => {})
  t.after(() => client.endAsync(true))
  return client
}
