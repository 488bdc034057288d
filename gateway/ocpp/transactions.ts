import type { MeterEvent, MeterEventSink, MeterSample } from '../../evse/metering/meterEvent.ts'
import type { Contract, Directory, EdgeEvse } from '../fleet/directory.ts'
import type { JudgeSignedValue } from '../ocmf/signedValue.ts'
import { MAX_EARLY_CHARS, MAX_EARLY_EVENTS } from './limits.ts'
import { readSamples, type SampleDraft } from './meterSamples.ts'
import type { OcppMetrics } from './metrics.ts'
import type { ReadingGroup } from './reading.ts'
import { rpcError } from './rpc.ts'
import type { EarlyEvent, IntervalTotal, TransactionRow, TransactionStore } from './transactionStore.ts'

/** A message about a transaction, whatever version of OCPP brought it. */
export interface TransactionMessage {
  readonly station: string
  readonly transaction: string
  readonly kind: MeterEvent['kind']
  readonly seqNo: number
  readonly atMs: number
  readonly offline: boolean
  /** Undefined: the message does not say. */
  readonly evseId: number | undefined
  /** Who was authorised with it. */
  readonly token: string | undefined
  readonly groups: readonly ReadingGroup[]
}

export interface TransactionsDeps {
  readonly store: TransactionStore
  readonly directory: Directory
  readonly sink: MeterEventSink
  readonly judge: JudgeSignedValue
  readonly metrics: OcppMetrics
  readonly acceptIntervals: boolean
  readonly problem: (problem: { code: string; message: string; station: string; evse?: string }) => void
  readonly now: () => number
}

/** Messages about transactions on their way to the metering book. A station's messages come in here one after another. */
export class Transactions {
  readonly #deps: TransactionsDeps

  constructor(deps: TransactionsDeps) {
    this.#deps = deps
  }

  /**
   * Resolves when the message is durable: only then may the station be answered.
   * @throws BackfeedError STORE_FAILED; an RPC error for a message that cannot be placed. The station keeps it.
   */
  async take(message: TransactionMessage): Promise<void> {
    const { store, directory } = this.#deps
    const before = store.get(message.station, message.transaction)
    const evseId = before?.evseId ?? message.evseId
    if (evseId === undefined) return this.#keepEarly(message, before)
    const evse = directory.atStation(message.station, evseId)
    if (evse === undefined) {
      // Not ours to settle: refusing it would block the station's queue for its other EVSEs.
      const text = `EVSE ${evseId} has a transaction and is not in the configuration, or not on L1 yet`
      this.#deps.problem({ code: 'EVSE_UNKNOWN', message: text, station: message.station })
      return this.#noteStranger(message, before, evseId)
    }
    const moved = message.evseId !== undefined && message.evseId !== evseId
    if (moved) {
      const text = `transaction ${message.transaction} began at EVSE ${evseId} and now names ${message.evseId}`
      this.#inconsistent(message.station, evse, text)
    }
    let row = before ?? emptyRow(message)
    for (const early of row.early) row = await this.#pass({ ...early, station: row.station }, { ...row, evseId }, evse)
    await this.#pass(moved ? { ...message, groups: [] } : message, { ...row, evseId, early: [] }, evse)
  }

  /** Of the transaction's token; undefined while it has none, or none that a contract of the lane knows. */
  contractOf(evse: EdgeEvse, token: string | undefined): Contract | undefined {
    return token === undefined ? undefined : findContract(this.#deps.directory, evse.lane, token)
  }

  /** Later messages do not name the EVSE again: they must not be taken for those of a transaction that has no place yet. */
  async #noteStranger(message: TransactionMessage, before: TransactionRow | undefined, evseId: number): Promise<void> {
    const row = before ?? emptyRow(message)
    const ended = row.ended || message.kind === 'ENDED'
    const noted = withToken({ ...row, evseId, early: [], ended }, message.token)
    if (before === undefined || !sameRow(before, noted)) await this.#deps.store.put(noted)
  }

  async #keepEarly(message: TransactionMessage, before: TransactionRow | undefined): Promise<void> {
    const row = before ?? emptyRow(message)
    const { kind, seqNo, atMs, offline, groups } = message
    const isRepeat = row.early.some((early) => early.seqNo === seqNo && early.atMs === atMs)
    const event: EarlyEvent = { kind, seqNo, atMs, offline, groups: [...groups] }
    const early = isRepeat ? row.early : [...row.early, event]
    if (early.length > MAX_EARLY_EVENTS || JSON.stringify(early).length > MAX_EARLY_CHARS) {
      const text = `${early.length} messages of transaction ${row.transaction}, and none names its EVSE: they wait at the station`
      this.#deps.problem({ code: 'TRANSACTION_UNPLACED', message: text, station: row.station })
      throw rpcError('PropertyConstraintViolation', 'no message of this transaction has named its EVSE yet')
    }
    await this.#deps.store.put(withToken({ ...row, early }, message.token))
  }

  async #pass(
    message: Omit<TransactionMessage, 'token' | 'evseId' | 'transaction'> & { token?: string | undefined },
    row: TransactionRow,
    evse: EdgeEvse,
  ): Promise<TransactionRow> {
    const { store, sink, judge, acceptIntervals, metrics, now } = this.#deps
    const { station } = row
    const read = await readSamples(message.groups, {
      evse,
      source: row.source,
      judge,
      receivedMs: now(),
      acceptIntervals,
    })
    for (const problem of read.problems) this.#deps.problem({ ...problem, station, evse: evse.name })
    const changed = withToken(
      {
        ...row,
        ended: row.ended || message.kind === 'ENDED',
        ...(read.source === undefined ? {} : { source: read.source }),
      },
      message.token,
      (token) => this.contractOf(evse, token) !== undefined,
    )
    const counted = this.#countIntervals(changed, evse, message.seqNo, read.drafts)
    const known = store.get(station, row.transaction)
    if (counted.total !== undefined || known === undefined || !sameRow(known, counted.row)) {
      await store.put(counted.row, counted.total)
    }
    await sink.take({
      evse: evse.name,
      kind: message.kind,
      transaction: row.transaction,
      seqNo: message.seqNo,
      atMs: message.atMs,
      offline: message.offline,
      contract: this.contractOf(evse, counted.row.token)?.slot,
      samples: counted.samples,
      ...(read.evidence.length === 0 ? {} : { evidence: read.evidence }),
    })
    metrics.event(message.kind, message.offline)
    return counted.row
  }

  /**
   * Makes a register of intervals: a total of the EVSE that only grows. Each message of a transaction is added once; what a lost message held is
   * lost, and a message that comes after a later one is not added any more. Both are flagged: money is never guessed.
   */
  #countIntervals(
    row: TransactionRow,
    evse: EdgeEvse,
    seqNo: number,
    drafts: readonly SampleDraft[],
  ): { row: TransactionRow; samples: MeterSample[]; total: IntervalTotal | undefined } {
    const usesIntervals =
      row.interval !== undefined || drafts.some(({ intervalMilliWh }) => intervalMilliWh !== undefined)
    if (!usesIntervals) return { row, samples: drafts.map(({ sample }) => sample), total: undefined }
    const last = row.interval
    if (last !== undefined && seqNo === last.seqNo) {
      const samples = drafts.map(({ sample }, index) => withRegister(sample, last.registers[index] ?? undefined))
      return { row, samples, total: undefined }
    }
    if (last !== undefined && seqNo < last.seqNo) {
      this.#inconsistent(
        row.station,
        evse,
        `message ${seqNo} of ${row.transaction} came after ${last.seqNo}: not counted`,
      )
      return { row, samples: drafts.map(({ sample }) => sample), total: undefined }
    }
    if (seqNo > (last?.seqNo ?? -1) + 1 && last !== undefined) {
      this.#inconsistent(
        row.station,
        evse,
        `messages before ${seqNo} of ${row.transaction} are missing: their energy is lost`,
      )
    }
    let milliWh = this.#deps.store.totalMilliWh(evse.name)
    const registers: (number | null)[] = drafts.map(({ intervalMilliWh }) => {
      if (intervalMilliWh === undefined) return null
      milliWh += intervalMilliWh
      return milliWh
    })
    const samples = drafts.map(({ sample }, index) => withRegister(sample, registers[index] ?? undefined))
    return { row: { ...row, interval: { seqNo, registers } }, samples, total: { evse: evse.name, milliWh } }
  }

  #inconsistent(station: string, evse: EdgeEvse, message: string): void {
    this.#deps.problem({ code: 'ERR_DATA_INCONSISTENCY', message, station, evse: evse.name })
  }
}

/** An eMAID is written with and without its hyphens (ISO 15118-2, annex H). */
export function findContract(directory: Directory, lane: number, token: string): Contract | undefined {
  return directory.contractOfToken(lane, token) ?? directory.contractOfToken(lane, token.replaceAll('-', ''))
}

function emptyRow({ station, transaction, atMs }: TransactionMessage): TransactionRow {
  return { station, transaction, early: [], ended: false, beganMs: atMs, touchedMs: 0 }
}

/** The first token stands; only one that is no contract's gives way to one that is. */
function withToken(
  row: TransactionRow,
  token: string | undefined,
  isKnown?: (token: string) => boolean,
): TransactionRow {
  if (token === undefined || token === '') return row
  if (row.token === undefined) return { ...row, token }
  return isKnown !== undefined && !isKnown(row.token) && isKnown(token) ? { ...row, token } : row
}

function withRegister(sample: MeterSample, exportMilliWh: number | undefined): MeterSample {
  return exportMilliWh === undefined ? sample : { ...sample, exportMilliWh }
}

function sameRow(a: TransactionRow, b: TransactionRow): boolean {
  return JSON.stringify({ ...a, touchedMs: 0 }) === JSON.stringify({ ...b, touchedMs: 0 })
}
