import { Outcome, type OutcomeName, outcomeNames } from '../../protocol/outcome.ts'
import { DUPLICATE, type ResultCode, resultName } from '../../protocol/wire.ts'

export interface RecordStatus {
  /** HTTP status of the record. */
  readonly status: number
  readonly code: string
  /** The name that chargers' back ends know it by (docs/protocol.md §5). */
  readonly error?: 'ERR_DATA_INCONSISTENCY' | 'ERR_AUTH_EXPIRED' | 'THERMAL_LIMIT_REACHED'
  /** Whether the very same record may settle later. */
  readonly retryable: boolean
  readonly message: string
}

type StatusRow = Omit<RecordStatus, 'code' | 'retryable'> & { retryable?: boolean }

const rows: Readonly<Record<OutcomeName, StatusRow>> = {
  SETTLED: { status: 200, message: 'accepted and durable' },
  UNKNOWN_EVSE: { status: 404, message: 'no EVSE is active in this slot for the span of the record' },
  BAD_SIGNATURE: { status: 401, message: 'the signature does not verify under the EVSE’s key, place and lane' },
  MALFORMED: { status: 400, message: 'a field is out of bounds, the span crosses a period, or it lies in the future' },
  OVERLAP: { status: 409, message: 'the span begins before the EVSE’s last settled span ends' },
  METER_REGRESSION: {
    status: 409,
    error: 'ERR_DATA_INCONSISTENCY',
    message: 'the export register is lower than its last value plus the energy of the record',
  },
  POWER_EXCEEDED: { status: 422, message: 'more energy than the EVSE’s rated power allows in the span' },
  UNKNOWN_CONTRACT: { status: 404, message: 'no contract is active in this slot for the span of the record' },
  SOC_INCONSISTENT: {
    status: 422,
    error: 'ERR_DATA_INCONSISTENCY',
    message: 'more energy than the drop of the state of charge accounts for',
  },
  NO_EVENT: { status: 422, message: 'no grid event in this period: its price is zero or there is no tariff' },
  THERMAL_LIMIT: {
    status: 422,
    error: 'THERMAL_LIMIT_REACHED',
    message: 'the battery was too hot for this tariff, or its temperature is unknown',
  },
  BUDGET_EXHAUSTED: { status: 402, retryable: true, message: 'the lane’s funding is spent; it may be funded again' },
  EMPTY: { status: 400, message: 'an all-zero record is padding' },
}

const duplicate: RecordStatus = {
  status: DUPLICATE,
  code: resultName(DUPLICATE),
  retryable: false,
  message: 'accepted before, byte for byte',
}

const statuses: ReadonlyMap<ResultCode, RecordStatus> = new Map([
  [DUPLICATE, duplicate],
  ...outcomeNames.map((name): [ResultCode, RecordStatus] => [
    Outcome[name],
    { retryable: false, ...rows[name], code: name },
  ]),
])

const expired: RecordStatus = {
  status: 404,
  code: 'UNKNOWN_EVSE',
  error: 'ERR_AUTH_EXPIRED',
  retryable: false,
  message: 'the EVSE’s registration ended before the record did',
}

/** `evseEnded`: for UNKNOWN_EVSE, whether the slot's registration had ended. */
export function recordStatus(code: ResultCode, evseEnded = false): RecordStatus {
  if (evseEnded) return expired
  return statuses.get(code)!
}

/** `{…recordStatus, position, amountMicro}` as JSON. What does not change is written once: stringifying all of it took twice as long. */
export function recordStatusJson(status: RecordStatus, position: number, amountMicro: number): string {
  let head = heads.get(status)
  if (head === undefined) {
    head = JSON.stringify(status).slice(0, -1)
    heads.set(status, head)
  }
  return `${head},"position":${position},"amountMicro":${amountMicro}}`
}

/** Of the few statuses that there are: all but the closing brace. */
const heads = new Map<RecordStatus, string>()

/** HTTP status of a whole answer: one record's own; of many 200 all settled, 208 all known before, else 207. */
export function answerStatus(codes: readonly ResultCode[]): number {
  const first = codes[0]!
  if (codes.length === 1) return recordStatus(first).status
  if (codes.some((code) => code !== first)) return 207
  return first === DUPLICATE ? DUPLICATE : recordStatus(first).status === 200 ? 200 : 207
}
