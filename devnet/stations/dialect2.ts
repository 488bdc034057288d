import { type Call, type Dialect, isoTime, type StationSample, type TransactionStep, wattHours } from './dialect.ts'

const TRIGGERS: Readonly<Record<TransactionStep, string>> = {
  Started: 'Authorized',
  Updated: 'MeterValuePeriodic',
  Ended: 'EVDeparted',
}

/** OCPP 2.0.1 and 2.1. */
export function dialect2(): Dialect {
  return {
    boot: () => ({
      action: 'BootNotification',
      params: { reason: 'PowerUp', chargingStation: { model: 'Simulated', vendorName: 'Backfeed' } },
    }),
    available: (evseId, atMs) => ({
      action: 'StatusNotification',
      params: { timestamp: isoTime(atMs), connectorStatus: 'Available', evseId, connectorId: 1 },
    }),
    step({ step, transaction, seqNo, atMs, offline, sample }) {
      const params = {
        eventType: step,
        timestamp: isoTime(atMs),
        triggerReason: sample.context === 'Sample.Clock' ? 'MeterValueClock' : TRIGGERS[step],
        seqNo,
        ...(offline ? { offline } : {}),
        transactionInfo: { transactionId: transaction.id },
        // Said at the beginning and not again, as the standard allows.
        ...(step === 'Started' ? { evse: { id: transaction.evseId, connectorId: 1 } } : {}),
        ...(step === 'Started' ? { idToken: { idToken: transaction.token, type: 'ISO14443' } } : {}),
        meterValue: [meterValue(sample)],
      }
      return { action: 'TransactionEvent', params: () => params }
    },
    before({ transaction, atMs, sample }) {
      return sample.tempC === undefined ? undefined : temperature(transaction.evseId, atMs, sample.tempC)
    },
    answered() {},
  }
}

/** OCPP 2 has no measurand for it: a variable of the station is reported. */
function temperature(evseId: number, atMs: number, tempC: number): Call {
  const timestamp = isoTime(atMs)
  const event = {
    eventId: Math.floor(atMs / 1_000),
    timestamp,
    trigger: 'Periodic',
    actualValue: String(tempC),
    eventNotificationType: 'PreconfiguredMonitor',
    component: { name: 'ElectricalFeed', evse: { id: evseId } },
    variable: { name: 'Temperature' },
  }
  return { action: 'NotifyEvent', params: { generatedAt: timestamp, seqNo: 0, eventData: [event] } }
}

function meterValue({
  atMs,
  context,
  exportMilliWh,
  soc,
  powerW,
  voltageV,
  frequencyHz,
  signed,
}: StationSample): object {
  return {
    timestamp: isoTime(atMs),
    sampledValue: [
      {
        value: wattHours(exportMilliWh),
        context,
        measurand: 'Energy.Active.Export.Register',
        unitOfMeasure: { unit: 'Wh', multiplier: 0 },
        ...(signed === undefined
          ? {}
          : {
              signedMeterValue: {
                signedMeterData: Buffer.from(signed.data).toString('base64'),
                signingMethod: signed.signingMethod,
                encodingMethod: signed.encodingMethod,
                publicKey: signed.publicKey,
              },
            }),
      },
      // What the car took, for which nobody is to be paid.
      { value: 123_456.789, context },
      ...(soc === undefined
        ? []
        : [{ value: soc, context, measurand: 'SoC', location: 'EV', unitOfMeasure: { unit: 'Percent' } }]),
      { value: powerW, context, measurand: 'Power.Active.Export', unitOfMeasure: { unit: 'W' } },
      { value: voltageV, context, measurand: 'Voltage', phase: 'L1-N', unitOfMeasure: { unit: 'V' } },
      { value: frequencyHz, context, measurand: 'Frequency', unitOfMeasure: { unit: 'Hz' } },
    ],
  }
}
