import { BackfeedError } from '../../runtime/errors.ts'
import type { MeterEvent } from './meterEvent.ts'

/** OCPP allows 36 characters. */
const MAX_TRANSACTION_CHARS = 64
/** An ENDED message may repeat every reading of a day. */
const MAX_SAMPLES = 10_000
const MAX_EVIDENCE_BYTES = 1_048_576
/** A u40 of watt-hours, 10^-3 Wh: what a record can say. */
const MAX_MILLI_WH = (2 ** 40 - 1) * 1_000
/** End of the year 9999: later is no date. */
const MAX_MS = 253_402_300_800_000

/** @throws BackfeedError METER_EVENT_INVALID: no such reading can exist; a source that checks its messages never sees it */
export function checkEvent(event: MeterEvent): void {
  const wrong = whatIsWrong(event)
  if (wrong === undefined) return
  const details = { evse: event.evse, transaction: event.transaction }
  throw new BackfeedError('METER_EVENT_INVALID', `a meter event of ${event.evse}: ${wrong}`, { details })
}

function whatIsWrong(event: MeterEvent): string | undefined {
  const { transaction, seqNo, atMs, samples, evidence = [], contract } = event
  if (transaction.length === 0 || transaction.length > MAX_TRANSACTION_CHARS) return 'transaction of 1 to 64 characters'
  if (!/^[\x20-\x7e]+$/.test(transaction)) return 'transaction of printable ASCII characters'
  if (!isWhole(seqNo, 0, Number.MAX_SAFE_INTEGER)) return `seqNo ${seqNo}`
  if (!isWhole(atMs, 0, MAX_MS)) return `atMs ${atMs}`
  if (contract !== undefined && !isWhole(contract, 0, 0xffffffff)) return `contract ${contract}`
  if (samples.length > MAX_SAMPLES) return `${samples.length} samples`
  if (evidence.some((value) => value.length > MAX_EVIDENCE_BYTES)) return 'evidence over 1 MiB'
  for (const { atMs: sampleMs, exportMilliWh, socBp, tempC } of samples) {
    if (!isWhole(sampleMs, 0, MAX_MS)) return `sample at ${sampleMs}`
    if (exportMilliWh !== undefined && !isWhole(exportMilliWh, 0, MAX_MILLI_WH)) return `register ${exportMilliWh}`
    if (socBp !== undefined && !isWhole(socBp, 0, 10_000)) return `state of charge ${socBp}`
    if (tempC !== undefined && !Number.isFinite(tempC)) return `temperature ${tempC}`
  }
  return undefined
}

const isWhole = (value: number, min: number, max: number): boolean =>
  Number.isInteger(value) && value >= min && value <= max
