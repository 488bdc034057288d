import type { OcppConfig } from './config.ts'
import { isRpcError, type StationSession, statusOf } from './session.ts'

// What a station is told to measure, after each boot. Without it most send what the car took, and nothing else.

interface Setting {
  readonly component: string
  readonly instance?: string | undefined
  readonly variable: string
  readonly variableInstance?: string | undefined
  /** The first that the station takes. A station refuses a whole list for one measurand that it does not have. */
  readonly values: readonly string[]
}

const MEASURANDS = [
  'Energy.Active.Export.Register,Energy.Active.Import.Register,SoC,Power.Active.Export,Power.Active.Import,Voltage,Frequency',
  'Energy.Active.Export.Register,SoC,Power.Active.Export',
  'Energy.Active.Export.Register,SoC',
  'Energy.Active.Export.Register',
]
const ENDS = MEASURANDS.slice(2)

/** Sets all, one after another, until the station goes away. Returns what it took in none of its values. */
export async function applySettings(
  session: StationSession,
  config: Pick<OcppConfig, 'sampleIntervalS' | 'alignedIntervalS' | 'variables'>,
): Promise<string[]> {
  const settings = session.version === 'ocpp1.6' ? settings16(config) : settings2(config)
  for (const { value, ...name } of [...config.variables, ...session.station.variables]) {
    settings.push({ ...name, values: [value] })
  }
  const refused: string[] = []
  try {
    for (const setting of settings) if (!(await apply(session, setting))) refused.push(setting.variable)
  } catch (error) {
    session.log.warn({ err: error }, 'the station went away before it was told what to measure')
  }
  return refused
}

function settings2(config: Pick<OcppConfig, 'sampleIntervalS' | 'alignedIntervalS'>): Setting[] {
  const settings: Setting[] = []
  const sampled = (variable: string, values: readonly string[]): void => {
    settings.push({ component: 'SampledDataCtrlr', variable, values })
  }
  if (config.sampleIntervalS > 0) {
    sampled('TxStartedMeasurands', ENDS)
    sampled('TxUpdatedMeasurands', MEASURANDS)
    sampled('TxEndedMeasurands', ENDS)
    sampled('TxUpdatedInterval', [String(config.sampleIntervalS)])
  }
  if (config.alignedIntervalS > 0) {
    settings.push({ component: 'AlignedDataCtrlr', variable: 'Measurands', values: ENDS })
    settings.push({ component: 'AlignedDataCtrlr', variable: 'Interval', values: [String(config.alignedIntervalS)] })
  }
  return settings
}

function settings16(config: Pick<OcppConfig, 'sampleIntervalS' | 'alignedIntervalS'>): Setting[] {
  const settings: Setting[] = []
  const key = (variable: string, values: readonly string[]): void => {
    settings.push({ component: '', variable, values })
  }
  if (config.sampleIntervalS > 0) {
    key('MeterValuesSampledData', MEASURANDS)
    key('StopTxnSampledData', ENDS)
    key('MeterValueSampleInterval', [String(config.sampleIntervalS)])
  }
  if (config.alignedIntervalS > 0) {
    key('MeterValuesAlignedData', ENDS)
    key('ClockAlignedDataInterval', [String(config.alignedIntervalS)])
  }
  return settings
}

async function apply(session: StationSession, setting: Setting): Promise<boolean> {
  for (const value of setting.values) {
    try {
      const taken =
        session.version === 'ocpp1.6' ? await change16(session, setting, value) : await set2(session, setting, value)
      if (taken) return true
    } catch (error) {
      if (!isRpcError(error)) throw error
      session.log.debug({ err: error, variable: setting.variable }, 'a setting failed')
    }
  }
  return false
}

async function change16(session: StationSession, { variable }: Setting, value: string): Promise<boolean> {
  const status = statusOf(await session.call('ChangeConfiguration', { key: variable, value }))
  return status === 'Accepted' || status === 'RebootRequired'
}

async function set2(session: StationSession, setting: Setting, value: string): Promise<boolean> {
  const { component, instance, variable, variableInstance } = setting
  const answer = (await session.call('SetVariables', {
    setVariableData: [
      {
        attributeValue: value,
        component: { name: component, ...(instance === undefined ? {} : { instance }) },
        variable: { name: variable, ...(variableInstance === undefined ? {} : { instance: variableInstance }) },
      },
    ],
  })) as { setVariableResult: readonly { attributeStatus: string }[] }
  const status = answer.setVariableResult[0]?.attributeStatus
  return status === 'Accepted' || status === 'RebootRequired'
}
