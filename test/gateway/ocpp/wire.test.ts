import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { createLink } from '../../../devnet/stations/stationLink.ts'
import { type Fixture, KNOWN_TOKEN, PASSWORD, startOcpp, T0 } from './fixture.ts'

// What strangers, broken stations and bad lines send.

const AT = new Date(T0).toISOString()

/** A station's line without a station: sends what it likes. */
async function openLine(gateway: Fixture, version: 'ocpp2.0.1' | 'ocpp2.1' | 'ocpp1.6' = 'ocpp2.0.1') {
  const link = createLink({ id: 'CS1', url: gateway.url, version, password: PASSWORD })
  const closed = new Promise<number>((resolve) => link.once('close', ({ code }) => resolve(code)))
  await link.connect()
  return { link, closed, [Symbol.asyncDispose]: async () => void link.close({ force: true }) }
}

test('strict mode refuses what breaks the schema, with the code of the standard', async () => {
  await using gateway = await startOcpp()
  await using line = await openLine(gateway)
  const refused = async (action: string, params: object, rpcErrorCode: string): Promise<void> => {
    await assert.rejects(line.link.call(action, params), { rpcErrorCode })
  }
  const event = {
    eventType: 'Started',
    timestamp: AT,
    triggerReason: 'Authorized',
    seqNo: 0,
    transactionInfo: { transactionId: 'T' },
    evse: { id: 1 },
  }
  await refused('TransactionEvent', { ...event, seqNo: '0' }, 'TypeConstraintViolation')
  await refused('TransactionEvent', { ...event, eventType: 'Begun' }, 'FormatViolation')
  await refused('TransactionEvent', { ...event, extra: 1 }, 'PropertyConstraintViolation')
  await refused('TransactionEvent', { ...event, timestamp: 'yesterday' }, 'FormatViolation')
  await refused('TransactionEvent', { ...event, timestamp: '2016-12-31T23:59:60Z' }, 'FormatViolation')
  await refused('TransactionEvent', { ...event, timestamp: '1969-12-31T23:59:59Z' }, 'FormatViolation')
  await refused('TransactionEvent', { ...event, seqNo: -1 }, 'PropertyConstraintViolation')
  await refused(
    'TransactionEvent',
    { ...event, transactionInfo: { transactionId: 'ä' } },
    'PropertyConstraintViolation',
  )
  await refused('TransactionEvent', { eventType: 'Started' }, 'OccurenceConstraintViolation')
  await refused(
    'TransactionEvent',
    { ...event, meterValue: [{ timestamp: AT, sampledValue: [{ value: '1' }] }] },
    'TypeConstraintViolation',
  )
  await refused('BootNotification', { reason: 'PowerUp' }, 'OccurenceConstraintViolation')
  await refused('NoSuchAction', {}, 'NotImplemented')
  assert.deepEqual(gateway.sink.taken, [])
  await line.link.call('TransactionEvent', event)
  assert.equal(gateway.sink.taken.length, 1)
  assert.match(await gateway.metrics(), /backfeed_ocpp_malformed_total{kind="schema",service="test"} 7/)
})

test('OCPP 1.6 and 2.1 are strict too', async () => {
  await using gateway = await startOcpp()
  {
    await using line = await openLine(gateway, 'ocpp2.1')
    await assert.rejects(line.link.call('Heartbeat', { extra: 1 }), { rpcErrorCode: 'PropertyConstraintViolation' })
    assert.ok(await line.link.call('Heartbeat', {}))
  }
  await using line = await openLine(gateway, 'ocpp1.6')
  await assert.rejects(line.link.call('StartTransaction', { connectorId: 1 }))
  assert.ok(await line.link.call('Heartbeat', {}))
})

test('what is no OCPP is answered, and ends the connection when there is too much of it', async () => {
  await using gateway = await startOcpp({ config: { maxBadMessages: 3 } })
  await using line = await openLine(gateway)
  for (const message of ['{', '[2]', '"text"', 'null']) line.link.sendRaw(message)
  assert.equal(await line.closed, 1002)
  assert.match(await gateway.metrics(), /backfeed_ocpp_malformed_total{kind="message",service="test"} 4/)
})

test('a message that is too long ends the connection', async () => {
  await using gateway = await startOcpp({ config: { maxMessageBytes: 4_096 } })
  await using line = await openLine(gateway)
  line.link.sendRaw(JSON.stringify([2, 'id', 'DataTransfer', { vendorId: 'x'.repeat(5_000) }]))
  assert.equal(await line.closed, 1009)
})

test('a flood of calls is bounded: the station keeps what is refused', async () => {
  await using gateway = await startOcpp()
  await using line = await openLine(gateway)
  let release: () => void = () => {}
  gateway.sink.hold = new Promise((resolve) => {
    release = resolve
  })
  const codes = new Map<string, number>()
  const answers = new Promise<void>((resolve) => {
    let seen = 0
    const raw = line.link as unknown as { on(event: 'badMessage', listener: (bad: { buffer: Buffer }) => void): void }
    // Answers to raw messages belong to no call of the client, which is how they are seen here.
    raw.on('badMessage', ({ buffer }) => {
      const [kind, , code] = JSON.parse(buffer.toString()) as [number, string, string]
      const name = kind === 3 ? 'answered' : code
      codes.set(name, (codes.get(name) ?? 0) + 1)
      if (++seen === 12) release()
      if (seen === 20) resolve()
    })
  })
  for (let i = 0; i < 20; i++) {
    const params = {
      eventType: 'Updated',
      timestamp: AT,
      triggerReason: 'MeterValuePeriodic',
      seqNo: i,
      transactionInfo: { transactionId: 'T' },
      evse: { id: 1 },
    }
    line.link.sendRaw(JSON.stringify([2, `m${i}`, 'TransactionEvent', params]))
  }
  await answers
  assert.deepEqual(Object.fromEntries(codes), { InternalError: 12, answered: 8 })
  assert.deepEqual(
    gateway.sink.taken.map(({ seqNo }) => seqNo),
    [0, 1, 2, 3, 4, 5, 6, 7],
  )
})

test('a station that comes again takes the place of its old connection', async () => {
  await using gateway = await startOcpp()
  await using old = await openLine(gateway)
  const station = gateway.station()
  await station.boot()
  await old.closed
  assert.equal(gateway.ocpp.status().figures.connected, 1)
  station.plugIn(1, KNOWN_TOKEN)
  await station.drained()
  assert.equal(await gateway.ocpp.commands.setLimit('CS1-1', 0, AbortSignal.timeout(60_000)), 'ACCEPTED')
})

test('without a common version the connection is opened and closed at once', async () => {
  await using gateway = await startOcpp({ config: { protocols: ['ocpp2.0.1'] } })
  const link = createLink({ id: 'CS1', url: gateway.url, version: 'ocpp1.6', password: PASSWORD })
  await assert.rejects(link.connect() as Promise<unknown>, /subprotocol/)
  assert.equal(gateway.ocpp.status().figures.connected, 0)
})

test('paths that cannot be decoded, other requests and half an upgrade do not disturb', async () => {
  await using gateway = await startOcpp()
  const port = Number(new URL(gateway.url).port)
  const upgrade =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
  const ask = async (text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    socket.end(text)
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    socket.on('error', () => {})
    await once(socket, 'close')
    return answer.split('\r\n', 1)[0]!
  }
  assert.match(await ask(`GET /%E0%A4%A HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`), /400/)
  assert.match(await ask('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /426/)
  assert.match(await ask('nonsense\r\n\r\n'), /400/)
  const half = connect(port, '127.0.0.1')
  half.write('GET /CS1 HTTP/1.1\r\n')
  half.on('error', () => {})
  const station = gateway.station()
  await station.boot()
  half.destroy()
})

test('a station that does not answer pings is cut', async () => {
  await using gateway = await startOcpp({ config: { pingS: 1 } })
  await using line = await openLine(gateway)
  const { _ws: socket } = line.link as unknown as { _ws: { _autoPong: boolean } }
  socket._autoPong = false
  await line.closed
  while (gateway.ocpp.status().figures.connected !== 0) await new Promise((resolve) => setImmediate(resolve))
})

test('a station that reads no answers is cut', async () => {
  await using gateway = await startOcpp()
  await using line = await openLine(gateway)
  const { _ws: socket } = line.link as unknown as { _ws: { pause(): void; resume(): void } }
  socket.pause()
  // The refusal repeats the name of the action, so each takes as much of the line as it may.
  const long = 'x'.repeat(200_000)
  while (gateway.ocpp.status().figures.connected === 1) {
    line.link.sendRaw(JSON.stringify([2, 'id', long, {}]))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  socket.resume()
  await line.closed
})

test('connections are limited', async () => {
  await using gateway = await startOcpp({ config: { maxConnections: 1 }, stations: { CS1: 1, CS2: 1 } })
  await gateway.station().boot()
  await assert.rejects(gateway.station({ id: 'CS2' }).boot())
  assert.equal(gateway.ocpp.status().figures.connected, 1)
})

test('stopping waits for what is under way', async () => {
  const gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  let release: () => void = () => {}
  gateway.sink.hold = new Promise((resolve) => {
    release = resolve
  })
  station.plugIn(1, KNOWN_TOKEN)
  // The station has one call at a time, so this goes past its client; it is answered, so what was sent before it has been read.
  station.sendRaw(JSON.stringify([2, 'late', 'Heartbeat', {}]))
  await gateway.heard('Heartbeat')
  const stopped = gateway.ocpp.stop()
  release()
  await stopped
  assert.equal(gateway.sink.taken.length, 1)
})

test('every message that stations send has an answer of the standard', async () => {
  await using gateway = await startOcpp()
  const cases: Record<'ocpp2.0.1' | 'ocpp2.1' | 'ocpp1.6', Record<string, object>> = {
    'ocpp2.0.1': {
      FirmwareStatusNotification: { status: 'Installed' },
      LogStatusNotification: { status: 'Idle' },
      SecurityEventNotification: { type: 'TamperDetectionActivated', timestamp: AT },
      NotifyReport: { requestId: 1, generatedAt: AT, seqNo: 0 },
      NotifyEVChargingNeeds: { evseId: 1, chargingNeeds: { requestedEnergyTransfer: 'DC', departureTime: AT } },
      NotifyEVChargingSchedule: {
        timeBase: AT,
        evseId: 1,
        chargingSchedule: { id: 1, chargingRateUnit: 'W', chargingSchedulePeriod: [{ startPeriod: 0, limit: 1 }] },
      },
      DataTransfer: { vendorId: 'Somebody' },
      SignCertificate: { csr: 'csr' },
      Get15118EVCertificate: { iso15118SchemaVersion: 'urn:x', action: 'Install', exiRequest: 'x' },
      GetCertificateStatus: {
        ocspRequestData: {
          hashAlgorithm: 'SHA256',
          issuerNameHash: 'a',
          issuerKeyHash: 'b',
          serialNumber: 'c',
          responderURL: 'd',
        },
      },
      MeterValues: { evseId: 1, meterValue: [{ timestamp: AT, sampledValue: [{ value: 1 }] }] },
    },
    'ocpp2.1': {
      NotifyEVChargingNeeds: { evseId: 1, chargingNeeds: { requestedEnergyTransfer: 'DC_BPT' } },
      NotifyDERAlarm: { controlType: 'FreqDroop', timestamp: AT },
      DataTransfer: { vendorId: 'Somebody' },
    },
    'ocpp1.6': {
      FirmwareStatusNotification: { status: 'Installed' },
      DiagnosticsStatusNotification: { status: 'Idle' },
      DataTransfer: { vendorId: 'Somebody' },
      SecurityEventNotification: { type: 'x', timestamp: AT },
      SignCertificate: { csr: 'csr' },
      MeterValues: { connectorId: 1, meterValue: [{ timestamp: AT, sampledValue: [{ value: '1' }] }] },
    },
  }
  const expected: Record<string, unknown> = {
    'ocpp2.0.1 NotifyEVChargingNeeds': 'Rejected',
    'ocpp2.0.1 NotifyEVChargingSchedule': 'Accepted',
    'ocpp2.0.1 DataTransfer': 'UnknownVendorId',
    'ocpp2.0.1 SignCertificate': 'Rejected',
    'ocpp2.0.1 Get15118EVCertificate': 'Failed',
    'ocpp2.0.1 GetCertificateStatus': 'Failed',
    'ocpp2.1 NotifyEVChargingNeeds': 'NoChargingProfile',
    'ocpp2.1 DataTransfer': 'UnknownVendorId',
    'ocpp1.6 DataTransfer': 'UnknownVendorId',
    'ocpp1.6 SignCertificate': 'Rejected',
  }
  for (const version of ['ocpp2.0.1', 'ocpp2.1', 'ocpp1.6'] as const) {
    const station = gateway.station({ version })
    await station.boot()
    for (const [action, params] of Object.entries(cases[version])) {
      const answer = (await station.call(action, params)) as { status?: string }
      assert.equal(answer.status, expected[`${version} ${action}`], `${version} ${action}`)
    }
    await station.close()
  }
})
