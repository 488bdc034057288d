import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BackfeedError } from '../../../runtime/errors.ts'
import { KNOWN_TOKEN, MemoryStore, startOcpp, T0 } from './fixture.ts'

const STARTED = {
  eventType: 'Started',
  timestamp: new Date(T0).toISOString(),
  triggerReason: 'CablePluggedIn',
  seqNo: 0,
  transactionInfo: { transactionId: 'T' },
  evse: { id: 1 },
}

for (const version of ['ocpp2.0.1', 'ocpp2.1', 'ocpp1.6'] as const) {
  test(`${version}: a discharge from plug to unplug arrives as the meter counted it`, async () => {
    await using gateway = await startOcpp()
    const station = gateway.station({ version, startMilliWh: 1_000_123 })
    await station.boot()
    station.plugIn(1, KNOWN_TOKEN, 80.5)
    station.discharge(1, 7_200)
    await station.drained()
    gateway.clock.nowMs += 60_000
    station.setSoc(1, 79)
    station.sample(1)
    await station.drained()
    gateway.clock.nowMs += 60_000
    station.unplug(1)
    await station.drained()

    const events = gateway.sink.taken
    assert.deepEqual(
      events.map(({ kind, seqNo, atMs, offline, contract, evse }) => ({ kind, seqNo, atMs, offline, contract, evse })),
      [
        { kind: 'STARTED', seqNo: 0, atMs: T0, offline: false, contract: 7, evse: 'CS1-1' },
        { kind: 'UPDATED', seqNo: 1, atMs: T0 + 60_000, offline: false, contract: 7, evse: 'CS1-1' },
        { kind: 'ENDED', seqNo: 2, atMs: T0 + 120_000, offline: false, contract: 7, evse: 'CS1-1' },
      ],
    )
    assert.equal(new Set(events.map(({ transaction }) => transaction)).size, 1)
    const samples = events.flatMap((event) => event.samples)
    const expected = [
      { atMs: T0, exportMilliWh: 1_000_123, socBp: 8_050 },
      { atMs: T0 + 60_000, exportMilliWh: 1_120_123, socBp: 7_900 },
      { atMs: T0 + 120_000, exportMilliWh: 1_240_123, socBp: 7_900 },
    ]
    // StartTransaction of 1.6 says nothing of the export register.
    assert.deepEqual(samples, version === 'ocpp1.6' ? expected.slice(1) : expected)
    assert.deepEqual(gateway.codes(), [])
  })

  test(`${version}: what happens while the link is cut comes later, in order`, async () => {
    await using gateway = await startOcpp()
    const station = gateway.station({ version })
    await station.boot()
    station.plugIn(1, KNOWN_TOKEN)
    await station.drained()
    station.cutLink()
    station.discharge(1, 3_600)
    for (let i = 0; i < 3; i++) {
      gateway.clock.nowMs += 900_000
      station.sample(1, 'Sample.Clock')
    }
    gateway.clock.nowMs += 900_000
    station.unplug(1)
    await station.restore()
    await station.drained()
    const later = gateway.sink.taken.slice(1)
    assert.deepEqual(
      later.map(({ seqNo, samples }) => [seqNo, samples.at(-1)!.exportMilliWh]),
      [
        [1, 900_000],
        [2, 1_800_000],
        [3, 2_700_000],
        [4, 3_600_000],
      ],
    )
    // 1.6 does not say so: what is young at its arrival counts as live.
    assert.deepEqual(
      later.map(({ offline }) => offline),
      [true, true, true, version !== 'ocpp1.6'],
    )
    assert.ok(
      gateway.telemetry.every(
        ({ telemetry }) => telemetry.atMs === gateway.clock.monotonicMs() || telemetry.atMs === 1_000,
      ),
    )
  })

  test(`${version}: a repeat keeps transaction and sequence number, also after a restart of the gateway`, async () => {
    const store = new MemoryStore()
    let seen: readonly [string, number, string][]
    {
      await using gateway = await startOcpp({ store })
      const station = gateway.station({ version, repeats: () => true })
      await station.boot()
      station.plugIn(1, KNOWN_TOKEN)
      station.discharge(1, 1_000)
      gateway.clock.nowMs += 60_000
      station.sample(1)
      await station.drained()
      seen = gateway.sink.taken.map(({ transaction, seqNo, evse }) => [transaction, seqNo, evse])
      assert.deepEqual(
        seen.map(([, seqNo]) => seqNo),
        [0, 0, 1, 1],
      )
      assert.equal(new Set(seen.map(([transaction]) => transaction)).size, 1)

      // The answer to the last message never came: it is sent again, to a gateway that was started anew.
      station.cutLink()
      await gateway.ocpp.stop()
      await using again = await startOcpp({ store, clock: gateway.clock })
      const same = again.station({ version })
      await same.restore()
      const transaction = seen[0]![0]
      await same.call(...lastMessage(version, transaction, gateway.clock.nowMs))
      const first = gateway.sink.taken.at(-1)!
      const [repeat] = again.sink.taken
      assert.equal(repeat!.evse, 'CS1-1')
      assert.equal(repeat!.contract, 7)
      if (version === 'ocpp1.6')
        assert.equal(repeat!.seqNo, 2) // other content, so the next number
      else assert.equal(repeat!.seqNo, first.seqNo)
    }
  })
}

function lastMessage(version: string, transaction: string, atMs: number): [string, object] {
  const timestamp = new Date(atMs).toISOString()
  if (version === 'ocpp1.6') {
    const sampledValue = [{ value: '16.666', measurand: 'Energy.Active.Export.Register', unit: 'Wh' }]
    return [
      'MeterValues',
      { connectorId: 1, transactionId: Number(transaction), meterValue: [{ timestamp, sampledValue }] },
    ]
  }
  return [
    'TransactionEvent',
    {
      eventType: 'Updated',
      timestamp,
      triggerReason: 'MeterValuePeriodic',
      seqNo: 1,
      transactionInfo: { transactionId: transaction },
      meterValue: [{ timestamp, sampledValue: [{ value: 16.666, measurand: 'Energy.Active.Export.Register' }] }],
    },
  ]
}

test('a station is answered only when the message is durable, and the fail-safe is told before', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  let release: () => void = () => {}
  gateway.sink.hold = new Promise((resolve) => {
    release = resolve
  })
  station.plugIn(1, KNOWN_TOKEN)
  station.sendRaw(JSON.stringify([2, 'later', 'Heartbeat', {}]))
  await gateway.heard('Heartbeat') // and so the one before it
  assert.doesNotMatch(await gateway.metrics(), /ocpp_messages_total{action="TransactionEvent"/)
  assert.equal(station.queued, 1)
  assert.equal(gateway.telemetry.length, 1)
  release()
  await station.drained()
  assert.match(await gateway.metrics(), /ocpp_messages_total{action="TransactionEvent",outcome="ok",service="test"} 1/)
})

test('a transaction that never names its EVSE waits at the station, and is shown', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  const say = (seqNo: number): Promise<unknown> =>
    station.call('TransactionEvent', {
      eventType: 'Updated',
      timestamp: new Date(T0 + seqNo).toISOString(),
      triggerReason: 'MeterValuePeriodic',
      seqNo,
      transactionInfo: { transactionId: 'T1' },
    })
  for (let seqNo = 0; seqNo < 16; seqNo++) await say(seqNo)
  await assert.rejects(say(16), { rpcErrorCode: 'PropertyConstraintViolation' })
  await say(3) // a repeat of one that is kept
  assert.deepEqual(gateway.codes(), ['TRANSACTION_UNPLACED'])
})

test('a command is for the transaction that began last, even while an older one still comes in', async () => {
  const stopped: unknown[] = []
  await using gateway = await startOcpp()
  const station = gateway.station({ onCommand: (_action, params) => void stopped.push(params) })
  await station.boot()
  const say = (transactionId: string, seqNo: number, atMs: number): Promise<unknown> =>
    station.call('TransactionEvent', {
      eventType: seqNo === 0 ? 'Started' : 'Updated',
      timestamp: new Date(atMs).toISOString(),
      triggerReason: 'MeterValuePeriodic',
      seqNo,
      offline: transactionId === 'old',
      transactionInfo: { transactionId },
      evse: { id: 1 },
    })
  await say('old', 0, T0 - 5_000)
  await say('new', 0, T0)
  gateway.clock.nowMs += 10
  await say('old', 1, T0 - 4_000)
  await gateway.ocpp.commands.stop('CS1-1', 'X', AbortSignal.timeout(60_000))
  assert.deepEqual(stopped, [{ transactionId: 'new' }])
})

test('when the store fails the station keeps its message and sends it again', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  gateway.sink.failing = true
  const call = station.call('TransactionEvent', STARTED)
  await assert.rejects(call, { rpcErrorCode: 'InternalError' })
  station.plugIn(1, KNOWN_TOKEN)
  gateway.store.failing = true
  gateway.sink.failing = false
  await new Promise((resolve) => setTimeout(resolve, 30)) // a few attempts
  assert.equal(gateway.sink.taken.length, 0)
  gateway.store.failing = false
  await station.drained()
  assert.deepEqual(
    gateway.sink.taken.map(({ kind, seqNo }) => [kind, seqNo]),
    [['STARTED', 0]],
  )
})

test('a reading that cannot be is refused for good, not for now', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  gateway.sink.take = () => Promise.reject(new BackfeedError('METER_EVENT_INVALID', 'register 1e30'))
  const call = station.call('TransactionEvent', STARTED)
  await assert.rejects(call, { rpcErrorCode: 'PropertyConstraintViolation' })
})

test('messages before the EVSE is known wait for it, and come in order', async () => {
  const store = new MemoryStore()
  const event = (seqNo: number, more: object) => ({
    eventType: seqNo === 0 ? 'Started' : 'Updated',
    timestamp: new Date(T0 + seqNo * 1_000).toISOString(),
    triggerReason: 'Authorized',
    seqNo,
    transactionInfo: { transactionId: 'T1' },
    ...more,
  })
  {
    await using gateway = await startOcpp({ store })
    const station = gateway.station()
    await station.boot()
    await station.call(
      'TransactionEvent',
      event(0, { idToken: { idToken: KNOWN_TOKEN.toLowerCase(), type: 'ISO14443' } }),
    )
    await station.call(
      'TransactionEvent',
      event(0, { idToken: { idToken: KNOWN_TOKEN.toLowerCase(), type: 'ISO14443' } }),
    )
    assert.deepEqual(gateway.sink.taken, [])
  }
  await using gateway = await startOcpp({ store })
  const station = gateway.station()
  await station.restore()
  await station.call('TransactionEvent', event(1, { evse: { id: 1 } }))
  assert.deepEqual(
    gateway.sink.taken.map(({ seqNo, kind, evse, contract }) => [seqNo, kind, evse, contract]),
    [
      [0, 'STARTED', 'CS1-1', 7],
      [1, 'UPDATED', 'CS1-1', 7],
    ],
  )
})

test('who may charge is told by the contracts of the lane', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  const ask = async (idToken: string, type: string, more: object = {}) =>
    (await station.call('Authorize', { idToken: { idToken, type }, ...more })) as { idTokenInfo: { status: string } }
  assert.equal((await ask('deadbeef', 'ISO14443')).idTokenInfo.status, 'Accepted')
  assert.equal((await ask('DE-8AA-C12345678-X', 'eMAID')).idTokenInfo.status, 'Accepted')
  assert.equal((await ask('CAFE', 'ISO14443')).idTokenInfo.status, 'Unknown')
  assert.equal((await ask('', 'NoAuthorization')).idTokenInfo.status, 'Invalid')
  assert.deepEqual(await ask('DE-8AA-C12345678-X', 'eMAID', { certificate: 'PEM' }), {
    idTokenInfo: { status: 'Invalid' },
    certificateStatus: 'NoCertificateAvailable',
  })
  station.plugIn(1, 'CAFE')
  await station.drained()
  assert.equal(gateway.sink.taken[0]!.contract, undefined)
})

test('an EVSE that is not configured is flagged, and does not block its station', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station({ evseIds: [1, 2] })
  await station.boot()
  station.plugIn(2, KNOWN_TOKEN)
  station.plugIn(1, KNOWN_TOKEN)
  await station.drained()
  assert.deepEqual(
    gateway.sink.taken.map(({ evse }) => evse),
    ['CS1-1'],
  )
  assert.deepEqual(gateway.codes(), ['EVSE_UNKNOWN'])
})

test('messages of an EVSE that is not configured do not pile up when they no longer name it', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station({ evseIds: [1, 2] })
  await station.boot()
  const say = (seqNo: number, more: object = {}): Promise<unknown> =>
    station.call('TransactionEvent', {
      eventType: seqNo === 0 ? 'Started' : 'Updated',
      timestamp: new Date(T0 + seqNo).toISOString(),
      triggerReason: 'MeterValuePeriodic',
      seqNo,
      transactionInfo: { transactionId: 'T2' },
      ...more,
    })
  await say(0, { evse: { id: 2 } })
  for (let seqNo = 1; seqNo <= 40; seqNo++) await say(seqNo)
  assert.deepEqual(gateway.codes(), ['EVSE_UNKNOWN'])
  assert.equal(gateway.sink.taken.length, 0)
})

test('OCPP 1.6: a transaction that this gateway never gave is answered and flagged', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station({ version: 'ocpp1.6' })
  await station.boot()
  const stop = { transactionId: 99, meterStop: 5, timestamp: new Date(T0).toISOString() }
  assert.deepEqual(await station.call('StopTransaction', stop), {})
  assert.deepEqual(gateway.codes(), ['TRANSACTION_UNKNOWN'])
})

test('energy by intervals is added up once, and a gap is flagged', async () => {
  await using gateway = await startOcpp({ config: { acceptIntervals: true } })
  const station = gateway.station()
  await station.boot()
  gateway.clock.nowMs += 1_000
  const event = (seqNo: number, wattHours: number, transactionId = 'T1') => ({
    eventType: seqNo === 0 ? 'Started' : 'Updated',
    timestamp: new Date(T0 + seqNo * 100).toISOString(),
    triggerReason: 'MeterValuePeriodic',
    seqNo,
    transactionInfo: { transactionId },
    evse: { id: 1 },
    meterValue: [
      {
        timestamp: new Date(T0 + seqNo * 100).toISOString(),
        sampledValue: [
          { value: wattHours, measurand: 'Energy.Active.Export.Interval' },
          // The same energy once more, by the clock.
          { value: wattHours, measurand: 'Energy.Active.Export.Interval', context: 'Sample.Clock' },
        ],
      },
    ],
  })
  for (const [seqNo, wh] of [
    [0, 0],
    [1, 10.5],
    [1, 10.5],
    [2, 20],
  ] as const) {
    await station.call('TransactionEvent', event(seqNo, wh))
  }
  assert.deepEqual(
    gateway.sink.taken.map(({ samples }) => samples[0]?.exportMilliWh),
    [0, 10_500, 10_500, 30_500],
  )
  assert.deepEqual(gateway.codes(), [])
  await station.call('TransactionEvent', event(4, 1))
  assert.deepEqual(gateway.codes(), ['ERR_DATA_INCONSISTENCY'])
  await station.call('TransactionEvent', event(3, 5)) // too late: never counted
  await station.call('TransactionEvent', event(0, 1, 'T2'))
  assert.deepEqual(
    gateway.sink.taken.slice(4).map(({ samples }) => samples[0]?.exportMilliWh),
    [31_500, undefined, 32_500],
  )
})
