import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KNOWN_TOKEN, startOcpp } from './fixture.ts'

const patient = (): AbortSignal => AbortSignal.timeout(60_000)

interface Seen {
  readonly action: string
  readonly params: unknown
}

for (const version of ['ocpp2.0.1', 'ocpp2.1', 'ocpp1.6'] as const) {
  test(`${version}: a limit, a pause and a stop are obeyed`, async () => {
    await using gateway = await startOcpp()
    const station = gateway.station({ version })
    await station.boot()
    station.plugIn(1, KNOWN_TOKEN)
    station.discharge(1, 10_000)
    await station.drained()
    const { commands } = gateway.ocpp
    assert.equal(await commands.setLimit('CS1-1', 4_000, patient()), 'ACCEPTED')
    assert.equal(station.meter(1).powerW, 4_000)
    assert.equal(await commands.setLimit('CS1-1', 0, patient()), 'ACCEPTED')
    assert.equal(station.meter(1).powerW, 0)
    assert.equal(await commands.setLimit('CS1-1', 6_000, patient()), 'ACCEPTED')
    assert.equal(station.meter(1).powerW, 6_000)
    assert.equal(await commands.stop('CS1-1', 'TELEMETRY_STALE', patient()), 'ACCEPTED')
    await gateway.sink.reached(2)
    assert.equal(gateway.sink.taken.at(-1)!.kind, 'ENDED')
    assert.equal(await commands.stop('CS1-1', 'TELEMETRY_STALE', patient()), 'REJECTED')
  })
}

test('what goes over the wire, in each version', async () => {
  const seen: Seen[] = []
  const onCommand = (action: string, params: unknown): void => void seen.push({ action, params })
  const profile = (more: object, period: object) => ({
    chargingRateUnit: 'W',
    chargingSchedulePeriod: [period],
    ...more,
  })
  await using gateway = await startOcpp({ stations: { A: 1, B: 1, C: 1 }, stationConfig: { discharge: 'negative' } })
  const { commands } = gateway.ocpp
  const order = async (id: string, version: 'ocpp2.0.1' | 'ocpp2.1' | 'ocpp1.6', watts: number): Promise<unknown[]> => {
    const station = gateway.station({ id, version, onCommand })
    await station.restore()
    seen.length = 0
    await commands.setLimit(`${id}-1`, watts, patient()) // before a transaction: for the next one
    const { id: transactionId } = station.plugIn(1, KNOWN_TOKEN)
    await station.drained()
    await commands.setLimit(`${id}-1`, watts, patient())
    const said = JSON.stringify(seen.map(({ params }) => params))
    const transaction = station.transaction(1)!.id
    return JSON.parse(said.replaceAll(transactionId, 'T').replaceAll(`:${transaction}`, ':1')) as unknown[]
  }
  const next = { chargingProfilePurpose: 'TxDefaultProfile', chargingProfileKind: 'Relative' }
  const now = { chargingProfilePurpose: 'TxProfile', chargingProfileKind: 'Relative', transactionId: 'T' }
  const limit = { startPeriod: 0, limit: -1_234.5 }
  assert.deepEqual(await order('A', 'ocpp2.0.1', 1_234.56), [
    { evseId: 1, chargingProfile: { id: 7, stackLevel: 0, ...next, chargingSchedule: [profile({ id: 1 }, limit)] } },
    { evseId: 1, chargingProfile: { id: 6, stackLevel: 0, ...now, chargingSchedule: [profile({ id: 1 }, limit)] } },
  ])
  const setpoint = profile({ id: 1 }, { startPeriod: 0, operationMode: 'CentralSetpoint', setpoint: -5_000 })
  const idle = profile({ id: 1 }, { startPeriod: 0, operationMode: 'Idle' })
  assert.deepEqual(await order('B', 'ocpp2.1', 5_000), [
    { evseId: 1, chargingProfile: { id: 7, stackLevel: 1, ...next, chargingSchedule: [setpoint] } },
    {
      evseId: 1,
      chargingProfile: {
        id: 6,
        stackLevel: 1,
        ...now,
        maxOfflineDuration: 60,
        invalidAfterOfflineDuration: true,
        chargingSchedule: [setpoint],
      },
    },
    { evseId: 1, chargingProfile: { id: 5, stackLevel: 0, ...now, chargingSchedule: [idle] } },
  ])
  const csChargingProfiles = {
    chargingProfileKind: 'Relative',
    stackLevel: 0,
    chargingSchedule: profile({}, { startPeriod: 0, limit: 0 }),
  }
  assert.deepEqual(await order('C', 'ocpp1.6', 0), [
    {
      connectorId: 1,
      csChargingProfiles: { chargingProfileId: 7, chargingProfilePurpose: 'TxDefaultProfile', ...csChargingProfiles },
    },
    {
      connectorId: 1,
      csChargingProfiles: {
        chargingProfileId: 6,
        chargingProfilePurpose: 'TxProfile',
        transactionId: 1,
        ...csChargingProfiles,
      },
    },
  ])
})

test('OCPP 2.1: a station that is cut off falls back to Idle', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station({ version: 'ocpp2.1' })
  await station.boot()
  station.plugIn(1, KNOWN_TOKEN)
  station.discharge(1, 10_000)
  await station.drained()
  await gateway.ocpp.commands.setLimit('CS1-1', 5_000, patient())
  station.cutLink()
  gateway.clock.nowMs += 60_000
  assert.equal(station.meter(1).powerW, 5_000)
  gateway.clock.nowMs += 1
  assert.equal(station.meter(1).powerW, 0)
})

test('a station that is away, silent or says no', async () => {
  await using gateway = await startOcpp()
  const { commands } = gateway.ocpp
  assert.equal(await commands.setLimit('CS1-1', 0, patient()), 'UNREACHABLE')
  assert.equal(await commands.stop('CS1-1', 'X', patient()), 'UNREACHABLE')
  assert.equal(await commands.setLimit('nobody', 0, patient()), 'UNREACHABLE')
  const silent = gateway.station({
    onCommand() {
      throw new Error('no')
    },
  })
  await silent.boot()
  assert.equal(await commands.setLimit('CS1-1', Number.NaN, patient()), 'REJECTED')
  assert.equal(await commands.setLimit('CS1-1', -1, patient()), 'REJECTED')
  assert.equal(await commands.setLimit('CS1-1', 0, patient()), 'REJECTED')
  assert.equal(await commands.setLimit('CS1-1', 0, AbortSignal.abort()), 'UNREACHABLE')
})

test('a silent station frees the wire for the next command, and late answers do no harm', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  const { commands } = gateway.ocpp
  const deaf = new AbortController()
  let heard: () => void = () => {}
  const wasHeard = new Promise<void>((resolve) => {
    heard = resolve
  })
  // Set by the first command: the station hears, and answers only when it is told to.
  const link = station as unknown as { limits: { set(evseId: number, profile: unknown): void } }
  const set = link.limits.set.bind(link.limits)
  link.limits.set = (evseId, profile) => {
    heard()
    deaf.abort()
    set(evseId, profile)
  }
  const first = commands.setLimit('CS1-1', 100, deaf.signal)
  const second = commands.setLimit('CS1-1', 0, patient())
  await wasHeard
  assert.ok(['UNREACHABLE', 'ACCEPTED'].includes(await first))
  assert.equal(await second, 'ACCEPTED')
  assert.equal(station.limits.watts(1, undefined, 0), 0)
})

test('commands that wait are bounded, and end when the station goes', async () => {
  await using gateway = await startOcpp()
  const station = gateway.station()
  await station.boot()
  // Asked forty times, it goes away at the first.
  const { operator } = gateway.ocpp
  station.limits.clear = () => {
    station.cutLink()
    return 1
  }
  const asked = Array.from({ length: 40 }, () =>
    operator.clearChargingProfiles('CS1', 1).catch((error: Error) => error),
  )
  const answers = await Promise.all(asked)
  assert.ok(
    answers.every((answer) => answer instanceof Error && 'code' in answer && answer.code === 'STATION_UNREACHABLE'),
  )
  assert.match((answers.at(-1) as Error).message, /too many commands/)
})

for (const version of ['ocpp2.0.1', 'ocpp1.6'] as const) {
  test(`${version}: what an operator may ask`, async () => {
    const seen: Seen[] = []
    await using gateway = await startOcpp()
    const station = gateway.station({ version, onCommand: (action, params) => void seen.push({ action, params }) })
    await station.boot()
    station.plugIn(1, KNOWN_TOKEN)
    await station.drained()
    const { operator } = gateway.ocpp
    assert.equal(await operator.triggerMessage('CS1', 'TransactionEvent', 1), 'Accepted')
    await gateway.sink.reached(2)
    const name = { component: 'SampledDataCtrlr', variable: 'TxUpdatedInterval' }
    assert.deepEqual(await operator.setVariables('CS1', [{ ...name, value: '30' }]), ['Accepted'])
    assert.deepEqual(await operator.getVariables('CS1', [name]), [{ ...name, value: '30' }])
    assert.equal(await operator.clearChargingProfiles('CS1', 1), 'Unknown')
    await gateway.ocpp.commands.setLimit('CS1-1', 5, patient())
    assert.equal(await operator.clearChargingProfiles('CS1', 1), 'Accepted')
    assert.equal(await operator.reset('CS1', 'OnIdle'), 'Accepted')
    assert.deepEqual(
      seen.map(({ action }) => action),
      version === 'ocpp1.6'
        ? [
            'TriggerMessage',
            'ChangeConfiguration',
            'GetConfiguration',
            'ClearChargingProfile',
            'SetChargingProfile',
            'ClearChargingProfile',
            'Reset',
          ]
        : [
            'TriggerMessage',
            'SetVariables',
            'GetVariables',
            'ClearChargingProfile',
            'SetChargingProfile',
            'ClearChargingProfile',
            'Reset',
          ],
    )
    await assert.rejects(operator.reset('CS2', 'Immediate'), { code: 'STATION_UNREACHABLE' })
  })

  test(`${version}: a station is told at boot what to measure`, async () => {
    await using gateway = await startOcpp({
      config: {
        sampleIntervalS: 30,
        alignedIntervalS: 900,
        variables: [{ component: 'OCPPCommCtrlr', variable: 'RetryBackOffWaitMinimum', value: '5' }],
      },
    })
    const set = new Map<string, string>()
    const all = new Promise<void>((resolve) => {
      const station = gateway.station({
        version,
        onCommand(_action, params) {
          const [name, value] = settingOf(params)
          set.set(name, value)
          if (name.endsWith('RetryBackOffWaitMinimum')) resolve()
        },
      })
      void station.boot()
    })
    await all
    const export_ = 'Energy.Active.Export.Register,SoC'
    const full =
      'Energy.Active.Export.Register,Energy.Active.Import.Register,SoC,Power.Active.Export,Power.Active.Import,Voltage,Frequency'
    assert.deepEqual(
      Object.fromEntries(set),
      version === 'ocpp1.6'
        ? {
            MeterValuesSampledData: full,
            StopTxnSampledData: export_,
            MeterValueSampleInterval: '30',
            MeterValuesAlignedData: export_,
            ClockAlignedDataInterval: '900',
            RetryBackOffWaitMinimum: '5',
          }
        : {
            'SampledDataCtrlr.TxStartedMeasurands': export_,
            'SampledDataCtrlr.TxUpdatedMeasurands': full,
            'SampledDataCtrlr.TxEndedMeasurands': export_,
            'SampledDataCtrlr.TxUpdatedInterval': '30',
            'AlignedDataCtrlr.Measurands': export_,
            'AlignedDataCtrlr.Interval': '900',
            'OCPPCommCtrlr.RetryBackOffWaitMinimum': '5',
          },
    )
  })
}

function settingOf(params: unknown): [string, string] {
  const { key, value, setVariableData } = params as {
    key: string
    value: string
    setVariableData?: { component: { name: string }; variable: { name: string }; attributeValue: string }[]
  }
  const [data] = setVariableData ?? []
  return data === undefined ? [key, value] : [`${data.component.name}.${data.variable.name}`, data.attributeValue]
}
