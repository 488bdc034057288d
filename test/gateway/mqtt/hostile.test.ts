import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { MqttClient } from 'mqtt'
import type { ErrorPayload, MessageFault } from '../../../evse/mqtt/payloads.ts'
import { errorSchema, receiptsSchema } from '../../../evse/mqtt/payloads.ts'
import { openMqttAgent } from '../../../evse/mqtt/mqttAgent.ts'
import type { LevelOutbox } from '../../../evse/outbox/levelOutbox.ts'
import type { Outbox } from '../../../evse/outbox/outbox.ts'
import { topicOf, UPLINKS } from '../../../evse/mqtt/topics.ts'
import { SubmitError } from '../../../client/submitError.ts'
import { BackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { Random } from '../../support/generators/random.ts'
import { seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'
import { BROKERS, overMosquitto, rawClient, type TestBroker } from './brokers.ts'
import { withoutMosquitto } from './mosquitto.ts'
import { Operator, trustedVerifier } from './operator.ts'
import { LANE, nameOf, openEvse, openSite, quarter, signedRow, temporaryFolder } from './site.ts'

const evse0 = { lane: LANE, evse: nameOf(0) }

type Open = (t: TestContext) => Promise<TestBroker>

/** A gateway that is up at a broker of its own. */
async function gatewayAt(
  t: TestContext,
  open: Open,
  more: { evses?: number; wrap?: (box: LevelOutbox) => Outbox } = {},
) {
  const broker = await open(t)
  const operator = new Operator()
  const settings = { broker: broker.gateway, folder: await temporaryFolder(t), evses: 2, operator, ...more }
  const site = await openSite(settings)
  t.after(() => site.close())
  assert.ok(await site.source.whenUp(60_000))
  return { broker, operator, site }
}

/** The first EVSE's certificate in the hands of a client that sends what it likes. */
async function rawDevice(t: TestContext, broker: TestBroker): Promise<MqttClient> {
  return await rawClient(t, await broker.evse(0), { clientId: 'device', version: broker.protocol === '5' ? 5 : 4 })
}

/** What the gateway complains of to the first EVSE. */
async function complaintsTo(device: MqttClient): Promise<ErrorPayload[]> {
  const errors: ErrorPayload[] = []
  device.on('message', (_topic, payload) => errors.push(errorSchema.parse(JSON.parse(`${payload}`))))
  await device.subscribeAsync(topicOf(evse0, 'errors'), { qos: 1 })
  return errors
}

for (const { name, skip, open } of BROKERS.filter(({ name }) => name !== 'aedes over TLS')) {
  test(`${name}: garbage on every topic is refused with a reason, and harms nobody`, {
    skip,
    timeout: 240_000,
  }, async (t) => {
    const random = new Random(seed)
    const { broker, operator, site } = await gatewayAt(t, open)
    const device = await rawDevice(t, broker)
    const errors = await complaintsTo(device)

    let tried = 0
    for (const channel of UPLINKS) {
      for (const payload of garbage(random)) {
        await device.publishAsync(topicOf(evse0, channel), payload, { qos: 1 })
        tried++
      }
    }
    const faults = async (): Promise<number> =>
      (await site.metrics.registry.getSingleMetric('backfeed_mqtt_faults_total')!.get()).values.reduce(
        (sum, { value }) => sum + value,
        0,
      )
    // An empty status is how a retained one is taken back.
    await until(async () => (await faults()) === tried - 1)
    assert.ok(tried >= 100, `seed ${seed}`)
    t.diagnostic(`${tried} messages, seed ${seed}, ${errors.length} replies`)
    // Replies are rationed: a flood is not answered with a flood.
    assert.ok(errors.length >= 8 && errors.length <= 8 + 60, `${errors.length} replies`)
    assert.equal(site.box.waiting().length + site.box.figures().answeredRows, 0)
    assert.equal(site.telemetry.length + site.positions.length, 0)
    assert.equal(site.source.status().state, 'UP')

    const good = openEvse(1, await broker.evse(1))
    t.after(() => good.close())
    good.start()
    good.feed(quarter(0))
    await good.whenDelivered()
    assert.equal(operator.creditedWh, good.meteredWh)
  })

  test(`${name}: each fault has its code`, { skip, timeout: 240_000 }, async (t) => {
    const { broker, operator } = await gatewayAt(t, open)
    const device = await rawDevice(t, broker)
    const stranger = await rawClient(t, await broker.configOf('stranger'), { clientId: 'other', version: 4 })
    const errors: ErrorPayload[] = []
    const listen = (_topic: string, payload: Buffer): void => {
      const parsed = errorSchema.safeParse(JSON.parse(`${payload}`))
      if (parsed.success) errors.push(parsed.data)
    }
    device.on('message', listen)
    const refusals: string[] = []
    device.on('message', (_topic, payload) => {
      const parsed = receiptsSchema.safeParse(JSON.parse(`${payload}`))
      const answers = parsed.success ? parsed.data.answers : []
      refusals.push(...answers.filter(({ result }) => result === 'BAD_SIGNATURE').map(({ row }) => row))
    })
    stranger.on('message', listen)
    const wrongLane = { ...evse0, lane: LANE + 1 }
    await device.subscribeAsync(topicOf(evse0, 'receipts'), { qos: 1 })
    await device.subscribeAsync([topicOf(evse0, 'errors'), topicOf(wrongLane, 'errors')], { qos: 1 })
    await stranger.subscribeAsync(topicOf({ lane: LANE, evse: 'stranger' }, 'errors'), { qos: 1 })
    const forged = signedRow(0, 1)
    forged[87]! ^= 1
    const mixed = Buffer.concat([signedRow(0, 2), forged])
    const cases: [MessageFault, typeof device, string, Buffer][] = [
      ['BAD_PAYLOAD', device, topicOf(evse0, 'records'), Buffer.alloc(87)],
      ['BAD_PAYLOAD', device, topicOf(evse0, 'records'), Buffer.from('{"rows":[]}')],
      ['BAD_PAYLOAD', device, topicOf(evse0, 'telemetry'), Buffer.from('{"atMs":1,"volts":3}')],
      ['PAYLOAD_TOO_LARGE', device, topicOf(evse0, 'records'), Buffer.alloc(200_000, 1)],
      ['WRONG_EVSE', device, topicOf(evse0, 'records'), Buffer.from(signedRow(1, 0))],
      ['BAD_SIGNATURE', device, topicOf(evse0, 'records'), mixed],
      ['UNKNOWN_LANE', device, topicOf(wrongLane, 'records'), Buffer.from(signedRow(0, 0))],
      ['UNKNOWN_EVSE', stranger, topicOf({ lane: LANE, evse: 'stranger' }, 'records'), Buffer.from(signedRow(0, 0))],
    ]
    for (const [i, [code, client, topic, payload]] of cases.entries()) {
      await client.publishAsync(topic, payload, { qos: 2 })
      await until(() => errors.length === i + 1)
      assert.equal(errors[i]!.code, code)
      assert.equal(errors[i]!.retryable, false)
    }
    assert.match(errors[2]!.message, /volts/)
    assert.deepEqual(errors[5]!.records, [`0x${Buffer.from(forged.subarray(0, 24)).toString('hex')}`])
    await until(() => refusals.length > 0)
    assert.deepEqual(refusals, [`0x${Buffer.from(forged).toString('hex')}`])
    // Of the mixed message the good row was taken, and nothing else of all.
    await until(() => operator.credited.size === 1)
    assert.deepEqual([...operator.credited.keys()], [Buffer.from(signedRow(0, 2).subarray(0, 24)).toString('hex')])
  })

  test(`${name}: a full box keeps the message with the broker until there is room`, {
    skip,
    timeout: 240_000,
  }, async (t) => {
    let failures = 0
    let isFull = true
    const { broker, operator, site } = await gatewayAt(t, open, {
      evses: 1,
      wrap: (box) => ({
        onAnswered: (listener) => box.onAnswered(listener),
        find: (lane, record) => box.find(lane, record),
        put: async (rows) => {
          if (!isFull) return await box.put(rows)
          failures++
          throw new BackfeedError('OUTBOX_FULL', 'no room', { retryable: false })
        },
      }),
    })
    const device = await rawDevice(t, broker)
    const errors = await complaintsTo(device)
    await device.publishAsync(topicOf(evse0, 'records'), Buffer.from(signedRow(0, 0)), { qos: 2 })
    await until(() => failures >= 2)
    await until(() => errors.some(({ code, retryable }) => code === 'GATEWAY_BUSY' && retryable))
    assert.ok(site.source.status().problems.some(({ code }) => code === 'OUTBOX_FULL'))
    isFull = false
    await until(() => operator.credited.size === 1)
    await until(() => site.source.status().state === 'UP')
  })

  test(`${name}: a slow gateway takes one message after another, and the broker keeps the rest`, {
    skip,
    timeout: 240_000,
  }, async (t) => {
    let under = 0
    let most = 0
    const { broker, operator, site } = await gatewayAt(t, open, {
      evses: 1,
      wrap: (box) => ({
        onAnswered: (listener) => box.onAnswered(listener),
        find: (lane, record) => box.find(lane, record),
        put: async (rows, also) => {
          most = Math.max(most, ++under)
          await new Promise((resolve) => setTimeout(resolve, 10))
          await box.put(rows, also)
          under--
        },
      }),
    })
    const device = await rawDevice(t, broker)
    const rows = Array.from({ length: 200 }, (_, i) => Buffer.from(signedRow(0, i)))
    let next = 0
    const send = async (): Promise<void> => {
      while (next < rows.length) await device.publishAsync(topicOf(evse0, 'records'), rows[next++]!, { qos: 2 })
    }
    await Promise.all(Array.from({ length: 16 }, send))
    await until(() => operator.credited.size === 200)
    assert.equal(most, 1)
    // None came twice: the connection stood all the time, whatever the broker thinks of receive maximum.
    const messages = await site.metrics.registry.getSingleMetric('backfeed_mqtt_messages_total')!.get()
    assert.deepEqual(
      messages.values.map(({ labels, value }) => [labels.channel, value]),
      [['records', 200]],
    )
  })
}

test('mosquitto: what its access rules drop it acknowledges, and the agent notices', {
  skip: withoutMosquitto,
  timeout: 240_000,
}, async (t) => {
  const { broker, operator } = await gatewayAt(t, overMosquitto)
  // The certificate of another EVSE.
  const certificate = await broker.evse(1)
  for (const protocol of ['3.1.1', '5'] as const) {
    const agent = openMqttAgent({
      broker: { ...certificate, protocol },
      address: evse0,
      receipts: trustedVerifier(),
      retry: { attempts: 1 },
      // Of 3.1.1 nothing comes; of 5 what comes is waited for.
      timeoutMs: protocol === '5' ? 60_000 : 500,
      log: silentLogger(),
    })
    t.after(() => agent.close())
    assert.ok(await agent.whenUp(60_000))
    const submitting = agent.records.submit({ lane: LANE, rows: signedRow(0, 0) })
    await assert.rejects(submitting, (error) => {
      assert.ok(error instanceof SubmitError)
      assert.deepEqual([error.code, error.retryable], ['NO_ANSWER', true])
      // MQTT 5 says that it was not allowed; 3.1.1 acknowledges like any other.
      assert.equal(error.cause !== undefined, protocol === '5')
      return true
    })
  }
  assert.equal(operator.asked, 0)
})

function* garbage(random: Random): Generator<Buffer> {
  yield Buffer.alloc(0)
  yield Buffer.from('{}')
  yield Buffer.from('null')
  yield Buffer.from('[]')
  yield Buffer.from('{"atMs":"now"}')
  yield Buffer.from('{"state":"online","password":"x"}')
  yield Buffer.from('{"lat":91,"lon":0,"atMs":1}')
  yield Buffer.from(`{"id":"${'x'.repeat(65)}","answer":"ACCEPTED"}`)
  yield Buffer.from(`{"atMs":1e400}`)
  yield Buffer.from('{"__proto__":{"atMs":1}}')
  yield Buffer.from(`${'['.repeat(5_000)}`)
  yield Buffer.alloc(190_000, 0x20)
  for (let i = 0; i < 20; i++) {
    const bytes = Buffer.from(random.bytes(random.int(1, 400)))
    // Neither a whole number of rows nor JSON by chance.
    yield bytes.length % 88 === 0 ? bytes.subarray(1) : bytes
  }
}
