import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import type { SignedByMeter } from '../../../devnet/stations/dialect.ts'
import type { ChargingNeeds } from '../../../gateway/ocpp/stationContext.ts'
import { KNOWN_TOKEN, startOcpp, T0 } from './fixture.ts'

const event = (component: string, evseId: number | undefined, variable: string, actualValue: string) => ({
  generatedAt: new Date(T0).toISOString(),
  seqNo: 0,
  eventData: [
    {
      eventId: 1,
      timestamp: new Date(T0).toISOString(),
      trigger: 'Alerting',
      actualValue,
      eventNotificationType: 'HardWiredMonitor',
      component: { name: component, ...(evseId === undefined ? {} : { evse: { id: evseId } }) },
      variable: { name: variable },
    },
  ],
})

test('live samples go to the fail-safe with their age; what waited does not', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  station.plugIn(1, KNOWN_TOKEN)
  station.discharge(1, 5_000)
  await station.drained()
  gateway.clock.nowMs += 10_000
  station.sample(1)
  gateway.clock.nowMs += 150 // on its way
  await station.drained()
  const { evse, telemetry } = gateway.telemetry.at(-1)!
  assert.equal(evse, 'CS1-1')
  assert.deepEqual(telemetry, {
    atMs: gateway.clock.monotonicMs() - 150,
    powerW: 5_000,
    gridVoltageV: 230,
    gridFrequencyHz: 50,
  })
  const before = gateway.telemetry.length
  station.cutLink()
  station.sample(1)
  await station.restore()
  await station.drained()
  assert.equal(gateway.telemetry.length, before)
})

test('only EVSEs whose telemetry comes by OCPP', async () => {
  await using gateway = await startOcpp({ evse: { telemetry: 'modbus' } })
  const station = gateway.station()
  await station.boot()
  station.plugIn(1, KNOWN_TOKEN)
  await station.drained()
  assert.deepEqual(gateway.telemetry, [])
})

test('NotifyEvent: of one EVSE, or of the whole station', async () => {
  await using gateway = await startOcpp({ stations: { CS1: 2 } })
  const station = gateway.station({ evseIds: [1, 2] })
  await station.boot()
  await station.call('NotifyEvent', event('EVSE', 2, 'Temperature', '46'))
  await station.call('NotifyEvent', event('ISO15118Ctrlr', 1, 'PlcSnr', '8.5'))
  await station.call('NotifyEvent', event('ChargingStation', undefined, 'Temperature', '30'))
  await station.call('NotifyEvent', event('ChargingStation', undefined, 'Available', 'false'))
  const atMs = 1_000
  assert.deepEqual(gateway.telemetry, [
    { evse: 'CS1-2', telemetry: { atMs, tempC: 46 } },
    { evse: 'CS1-1', telemetry: { atMs, plcSnrDb: 8.5 } },
    { evse: 'CS1-1', telemetry: { atMs, tempC: 30 } },
    { evse: 'CS1-2', telemetry: { atMs, tempC: 30 } },
  ])
})

test('what a car asks for is handed on', async () => {
  const asked: [string, ChargingNeeds][] = []
  await using gateway = await startOcpp({ deps: { needs: (evse, needs) => void asked.push([evse, needs]) } })
  const station = gateway.station()
  await station.boot()
  await station.call('NotifyEVChargingNeeds', {
    evseId: 1,
    chargingNeeds: {
      requestedEnergyTransfer: 'DC',
      departureTime: '2026-10-02T06:00:00Z',
      dcChargingParameters: { evMaxCurrent: 100, evMaxVoltage: 500, stateOfCharge: 71, evEnergyCapacity: 60_000 },
    },
  })
  const departureMs = Date.parse('2026-10-02T06:00:00Z')
  assert.deepEqual(asked, [['CS1-1', { energyTransfer: 'DC', departureMs, socBp: 7_100, capacityWh: 60_000 }]])
})

test('a station whose clock is off is flagged until it is right, and its impossible samples are not taken', async () => {
  await using gateway = await startOcpp()
  let offMs = -5_000
  const station = gateway.station({ now: () => gateway.clock.nowMs + offMs })
  await station.boot()
  station.plugIn(1, KNOWN_TOKEN)
  await station.drained()
  assert.deepEqual(gateway.codes(), ['CLOCK_UNTRUSTED'])
  assert.equal(gateway.sink.taken[0]!.samples.length, 1)
  offMs = 0
  station.sample(1)
  await station.drained()
  assert.deepEqual(gateway.codes(), [])
  for (const wrongMs of [120_000, -T0]) {
    offMs = wrongMs
    station.sample(1)
    await station.drained()
    assert.deepEqual(gateway.sink.taken.at(-1)!.samples, [])
    assert.deepEqual(new Set(gateway.codes()), new Set(['CLOCK_UNTRUSTED'])) // of the station, and of the sample
  }
})

test('a faulted connector is shown while it is', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  const status = (connectorStatus: string) => ({
    timestamp: new Date(T0).toISOString(),
    connectorStatus,
    evseId: 1,
    connectorId: 1,
  })
  await station.call('StatusNotification', status('Faulted'))
  assert.deepEqual(gateway.ocpp.status().problems, [
    { code: 'STATION_FAULTED', message: 'CS1: EVSE 1 reports a fault', evse: 'CS1-1' },
  ])
  assert.equal(gateway.ocpp.status().state, 'DEGRADED')
  await station.call('StatusNotification', status('Available'))
  assert.equal(gateway.ocpp.status().state, 'UP')
  await station.close()
  gateway.clock.nowMs += 300_000
  assert.deepEqual(gateway.codes(), ['STATION_OFFLINE'])
})

const meter = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const meterKey = meter.publicKey.export({ type: 'spki', format: 'der' })

/** OCMF as a meter makes it; `obis` 2.8.0 is export. */
function ocmf(milliWh: number, atMs: number, { obis = '1-0:2.8.0', damaged = false } = {}): SignedByMeter {
  const time = `${new Date(atMs).toISOString().replace('Z', '').replace('.', ',')}+0000 S`
  const reading = { TM: time, TX: 'B', RV: (milliWh / 1_000).toFixed(3), RI: obis, RU: 'Wh', ST: 'G' }
  const payload = JSON.stringify({
    FV: '1.0',
    GI: 'Test',
    GS: '1',
    PG: 'T1',
    MV: 'Test',
    MM: 'M',
    MS: '1',
    IS: false,
    RD: [reading],
  })
  const SD = sign('sha256', Buffer.from(payload), meter.privateKey).toString('hex')
  const data = `OCMF|${damaged ? payload.replace('"GS":"1"', '"GS":"2"') : payload}|${JSON.stringify({ SA: 'ECDSA-secp256r1-SHA256', SD })}`
  return { data, signingMethod: 'ECDSA-secp256r1-SHA256', encodingMethod: 'OCMF', publicKey: '' }
}

for (const version of ['ocpp2.0.1', 'ocpp1.6'] as const) {
  test(`${version}: where signatures are asked for, only what the meter signed is taken`, async () => {
    await using gateway = await startOcpp({ evse: { signedValues: 'refuse', meterKey } })
    let signed: ((exportMilliWh: number, atMs: number) => SignedByMeter) | undefined = ocmf
    const station = gateway.station({
      version,
      sign: (_evse, milliWh, atMs) => signed!(milliWh, atMs),
      startMilliWh: 5_000_123,
    })
    const unsigned = gateway.station({ version, startMilliWh: 5_000_123 })
    await station.boot()
    station.plugIn(1, KNOWN_TOKEN)
    await station.drained()
    const take = async (): Promise<number | undefined> => {
      station.sample(1)
      await station.drained()
      return gateway.sink.taken.at(-1)!.samples[0]?.exportMilliWh
    }
    assert.equal(await take(), 5_000_123)
    assert.deepEqual(gateway.codes(), [])
    assert.match(Buffer.from(gateway.sink.taken.at(-1)!.evidence![0]!).toString(), /^OCMF\|/)
    signed = (milliWh, atMs) => ocmf(milliWh, atMs, { damaged: true })
    assert.equal(await take(), undefined)
    assert.deepEqual(gateway.codes(), ['OCMF_BAD_SIGNATURE'])
    assert.equal(gateway.sink.taken.at(-1)!.evidence!.length, 1)
    // Signed and plain disagree: the meter is right, and somebody must look.
    signed = (milliWh, atMs) => ocmf(milliWh - 50_000, atMs)
    assert.equal(await take(), 4_950_123)
    signed = (milliWh, atMs) => ocmf(milliWh, atMs, { obis: '1-0:1.8.0' })
    assert.equal(await take(), undefined) // the OBIS code says import, whatever the measurand
    await station.close()
    await unsigned.boot()
    unsigned.plugIn(1, KNOWN_TOKEN)
    unsigned.sample(1)
    await unsigned.drained()
    assert.equal(gateway.sink.taken.at(-1)!.samples[0]?.exportMilliWh, undefined)
    assert.ok(gateway.codes().includes('OCMF_UNSIGNED'), String(gateway.codes()))
  })
}

test('where signatures are only checked, plain numbers are taken and doubts are shown', async () => {
  await using gateway = await startOcpp({ evse: { signedValues: 'check', meterKey } })
  let signed: (exportMilliWh: number, atMs: number) => SignedByMeter = (milliWh, atMs) => ocmf(milliWh - 400, atMs)
  const station = gateway.station({ sign: (_evse, milliWh, atMs) => signed(milliWh, atMs), startMilliWh: 5_000_999 })
  await station.boot()
  station.plugIn(1, KNOWN_TOKEN)
  await station.drained()
  // Fewer digits in the signed one: the same reading.
  assert.equal(gateway.sink.taken[0]!.samples[0]!.exportMilliWh, 5_000_999)
  assert.deepEqual(gateway.codes(), [])
  signed = (milliWh, atMs) => ocmf(milliWh, atMs, { damaged: true })
  station.sample(1)
  await station.drained()
  assert.equal(gateway.sink.taken[1]!.samples[0]!.exportMilliWh, 5_000_999)
  assert.deepEqual(gateway.codes(), ['OCMF_BAD_SIGNATURE'])
  signed = (milliWh, atMs) => ocmf(milliWh - 2_000, atMs)
  station.sample(1)
  await station.drained()
  assert.equal(gateway.sink.taken[2]!.samples[0]!.exportMilliWh, 4_998_999)
  assert.deepEqual(gateway.codes(), ['OCMF_BAD_SIGNATURE', 'ERR_DATA_INCONSISTENCY'])
})
