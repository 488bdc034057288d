import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'smol-toml'
import { freePort } from '../../../devnet/freePort.ts'
import { GatewayProcess } from '../../../devnet/gateway/gatewayProcess.ts'
import { GatewayView, gatewaySeconds } from '../../../devnet/gateway/gatewayView.ts'
import { SimulatedStation } from '../../../devnet/stations/station.ts'
import { sessionClosedSchema, sessionSettledSchema } from '../../../gateway/webhooks/events.ts'
import { hashPassword } from '../../../gateway/ocpp/passwords.ts'
import { PERIOD_SECONDS } from '../../../protocol/limits.ts'
import { type Sequencer, startSequencer } from '../../../sequencer/main.ts'
import { startAnvil } from '../../support/anvil.ts'
import { openTestLane } from '../../support/laneFixture.ts'
import { sequencerConfig } from '../../support/sequencerFixture.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { untilWithin } from '../../support/until.ts'
import { secretFile, WebhookReceiver } from '../../support/webhookReceiver.ts'

const until = untilWithin(120)
const PASSWORD = 'a-password-of-20-chars'

test('a back office learns of each session once, with what it credits, though gateway, sequencer and back office are gone in between', {
  timeout: 600_000,
}, async () => {
  await using opened = new AsyncDisposableStack()
  const anvil = opened.use(await startAnvil())
  const folder = opened.use(await temporaryFolder())
  const receiver = opened.use(await WebhookReceiver.start())
  const lane = await openTestLane({ anvil, evses: 1 })
  const keyFile = join(folder.path, 'evse.pem')
  writeFileSync(keyFile, lane.fleet.keys[0]!.pem!, { mode: 0o600 })
  const [sequencerPort, ocppPort, httpPort] = [await freePort(), await freePort(), await freePort()]
  const settings = sequencerConfig(lane, { folder: folder.path })
  const openSequencer = (): Promise<Sequencer> =>
    startSequencer({ ...settings, http: { ...settings.http, port: sequencerPort } })
  let sequencer = await openSequencer()
  opened.defer(() => sequencer.stop())

  const configPath = join(folder.path, 'gateway.toml')
  const config = {
    dataDir: join(folder.path, 'gateway'),
    l1: { rpcUrl: anvil.url, pollMs: 100, follow: { kind: 'depth', blocks: 0 } },
    clock: { source: 'l1' },
    contracts: { ...lane.contracts },
    sequencers: [{ lane: lane.lane, addresses: [`http://127.0.0.1:${sequencerPort}`] }],
    delivery: { firstDelaySeconds: 0.1, maxDelaySeconds: 1 },
    metering: { socSource: 'capacity', recordSeconds: 300 },
    fleet: {
      evses: [{ name: 'hall-1', lane: lane.lane, slot: 0, station: 'CP-1', signer: { kind: 'file', keyFile } }],
      contracts: [{ lane: lane.lane, slot: 0, tokens: ['CAR-0'] }],
    },
    ocpp: {
      port: ocppPort,
      securityProfile: 1,
      sampleIntervalS: 0,
      alignedIntervalS: 0,
      stations: [{ id: 'CP-1', passwordHash: await hashPassword(PASSWORD) }],
    },
    http: { port: httpPort },
    log: { level: 'warn' },
    webhooks: [
      { name: 'billing', url: receiver.url, secretFiles: [secretFile(folder.path)], firstDelayMs: 50, maxDelayMs: 200 },
    ],
  }
  writeFileSync(configPath, stringify(config))
  const { signal } = new AbortController()
  const view = new GatewayView(`http://127.0.0.1:${httpPort}`, signal)
  const logPath = join(folder.path, 'gateway.log')
  const gateway = opened.use(new GatewayProcess({ configPath, statusUrl: view.statusUrl, logPath }))
  await gateway.start(signal)

  let nowMs = (await anvil.now()) * 1_000
  const station = new SimulatedStation({
    id: 'CP-1',
    url: `ws://127.0.0.1:${ocppPort}`,
    version: 'ocpp2.0.1',
    password: PASSWORD,
    startMilliWh: 7_000_000,
    now: () => nowMs,
    retryMs: 100,
  })
  opened.defer(() => station.cutLink())
  await station.boot()

  /** A car that discharges for some minutes; the messages come when the chain's clock is past them. */
  const play = async (minutes: number, beforeItEnds: () => Promise<void> = async () => {}): Promise<number> => {
    const startMs = Math.ceil(nowMs / (PERIOD_SECONDS * 1_000)) * PERIOD_SECONDS * 1_000
    const endSeconds = startMs / 1_000 + minutes * 60
    await anvil.warpTo(endSeconds + 60)
    await anvil.mine(2)
    await view.until('the gateway sees the time', (status) => gatewaySeconds(status) > endSeconds)
    nowMs = startMs
    const fromWh = Math.floor(station.meter(1).registerMilliWh() / 1_000)
    station.setTemperature(1, 25)
    station.plugIn(1, 'CAR-0')
    station.discharge(1, 6_000)
    for (let minute = 1; minute < minutes; minute++) {
      nowMs = startMs + minute * 60_000
      station.sample(1)
    }
    await station.drained()
    await beforeItEnds()
    nowMs = endSeconds * 1_000
    station.unplug(1)
    await station.drained()
    return Math.floor(station.meter(1).registerMilliWh() / 1_000) - fromWh
  }
  const settled = () => receiver.of('session.settled.v1').map(({ data }) => sessionSettledSchema.parse(data))
  const credited = async (): Promise<bigint> => (await sequencer.queries.contract(lane.lane, 0))!.now.creditedMicro

  // All is well.
  const firstWh = await play(20)
  await until('the first session', () => settled().length === 1)
  const [first] = settled()
  assert.equal(first!.meteredWh, firstWh)
  assert.equal(first!.settledWh, firstWh)
  assert.equal(first!.records.length, 4)
  assert.equal(BigInt(first!.creditedMicro), await credited())
  assert.deepEqual([first!.evse, first!.station, first!.stationEvse, first!.contract], ['hall-1', 'CP-1', 1, 0])
  for (const { position, receipt, creditedMicro, outcome } of first!.records) {
    assert.equal(outcome, 'SETTLED')
    assert.ok(BigInt(creditedMicro) > 0n)
    assert.ok(position! >= receipt!.firstPosition && position! < receipt!.firstPosition + receipt!.records)
  }

  // Neither sequencer nor back office answers, and the gateway is killed when the session has ended.
  const secondWh = await play(10, async () => {
    await sequencer.stop()
    receiver.reply = () => 'CUT'
  })
  await view.until('the session waits', ({ sources }) => {
    const figures = sources.find(({ name }) => name === 'webhooks')?.figures
    return figures?.openSessions === 1 && Number(figures.queued) >= 1
  })
  const status = await view.status()
  const problems = status!.sources.find(({ name }) => name === 'webhooks')!.problems
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['WEBHOOK_UNREACHABLE'],
  )
  const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text()
  assert.match(metrics, /backfeed_webhook_queued_events\{[^}]*webhook="billing"[^}]*\} 1\n/)
  await gateway.kill()
  receiver.reply = () => 204
  await gateway.start(signal)
  await until('its end', () =>
    receiver.of('session.closed.v1').some(({ data }) => data.transaction !== first!.transaction),
  )
  const closed = sessionClosedSchema.parse(receiver.of('session.closed.v1').at(-1)!.data)
  assert.equal(closed.meteredWh, secondWh)
  assert.equal(closed.waitingWh + closed.settledWh, secondWh)
  assert.ok(closed.waitingWh > 0)
  assert.equal(settled().length, 1)
  await gateway.kill()
  sequencer = await openSequencer()
  await gateway.start(signal)
  await until('the second session', () => settled().length === 2)
  const second = settled()[1]!
  assert.equal(second.settledWh, secondWh)
  assert.equal(second.transaction, closed.transaction)
  assert.equal(BigInt(first!.creditedMicro) + BigInt(second.creditedMicro), await credited())
  assert.deepEqual(
    receiver.events.map(({ type, data }) => `${type} ${data.transaction === first!.transaction ? 1 : 2}`),
    ['session.closed.v1 1', 'session.settled.v1 1', 'session.closed.v1 2', 'session.settled.v1 2'],
  )
  assert.equal(await gateway.stop(), 0, await gateway.lastLines())
})
