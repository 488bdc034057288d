import { type Dialect, isoTime, type StationSample, wattHours } from './dialect.ts'

/** OCPP 1.6J. Ids of transactions come with the answer to StartTransaction. */
export function dialect16(): Dialect {
  return {
    boot: () => ({
      action: 'BootNotification',
      params: { chargePointVendor: 'Backfeed', chargePointModel: 'Simulated' },
    }),
    available: (connectorId, atMs) => ({
      action: 'StatusNotification',
      params: { connectorId, errorCode: 'NoError', status: 'Available', timestamp: isoTime(atMs) },
    }),
    step({ step, transaction, atMs, sample }) {
      const { evseId: connectorId, token: idTag } = transaction
      const meterValue = [values(sample)]
      if (step === 'Started') {
        const params = { connectorId, idTag, meterStart: 0, timestamp: isoTime(atMs) }
        return { action: 'StartTransaction', params: () => params }
      }
      if (step === 'Ended') {
        const stop = { meterStop: 0, timestamp: isoTime(atMs), transactionData: meterValue }
        return { action: 'StopTransaction', params: () => ({ transactionId: Number(transaction.id), ...stop }) }
      }
      return {
        action: 'MeterValues',
        params: () => ({ connectorId, transactionId: Number(transaction.id), meterValue }),
      }
    },
    before: () => undefined,
    answered({ step, transaction }, answer) {
      if (step === 'Started') transaction.id = String((answer as { transactionId: number }).transactionId)
    },
  }
}

function values({ atMs, context, exportMilliWh, soc, powerW, voltageV, tempC, signed }: StationSample): object {
  const measurand = 'Energy.Active.Export.Register'
  return {
    timestamp: isoTime(atMs),
    sampledValue: [
      { value: String(wattHours(exportMilliWh)), context, measurand, unit: 'Wh' },
      ...(signed === undefined ? [] : [{ value: signed.data, context, format: 'SignedData', measurand }]),
      { value: '123456', context },
      ...(soc === undefined
        ? []
        : [{ value: String(soc), context, measurand: 'SoC', location: 'EV', unit: 'Percent' }]),
      { value: String(powerW), context, measurand: 'Power.Active.Export', unit: 'W' },
      { value: String(voltageV), context, measurand: 'Voltage', phase: 'L1', unit: 'V' },
      ...(tempC === undefined ? [] : [{ value: String(tempC), context, measurand: 'Temperature', unit: 'Celsius' }]),
    ],
  }
}
