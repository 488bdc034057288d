import { type CsvRow, csvError, parseCsvRows, readCsvRows } from '../../runtime/csvRows.ts'
import { scaledFloor } from '../../runtime/decimal.ts'

/** One stay of one car at a charger, by the wall clock of the place. */
export interface ChargingSession {
  readonly start: CivilTime
  readonly end: CivilTime
  /** What the car took during the stay, rounded down. */
  readonly takenWh: number
  readonly lineNumber: number
}

/** A reading of a wall clock: no zone, no daylight saving. */
export interface CivilTime {
  readonly year: number
  /** 1 … 12 */
  readonly month: number
  readonly day: number
  /** Since midnight. */
  readonly secondOfDay: number
}

const COLUMNS = ['Start', 'End', 'Energy'] as const
/** A stay of more than a week is a mistake of the file rather than a car. */
const LONGEST_STAY_SECONDS = 7 * 86_400

/** Reads `Start`, `End` (YYYY-MM-DD hh:mm:ss, local) and `Energy` (kWh); other columns are ignored. */
export function readSessionFile(path: string): ChargingSession[] {
  return sessionsOf(readCsvRows(path, COLUMNS), path)
}

export function parseSessions(text: string, origin = 'sessions'): ChargingSession[] {
  return sessionsOf(parseCsvRows(text, COLUMNS, origin), origin)
}

function sessionsOf(rows: readonly CsvRow[], origin: string): ChargingSession[] {
  return rows.map((row) => {
    const at = `${origin}, line ${row.lineNumber}`
    const start = civilTime(row.cell('Start'), at)
    const end = civilTime(row.cell('End'), at)
    const staySeconds = civilSeconds(end) - civilSeconds(start)
    if (staySeconds <= 0) throw csvError(`${at}: the session ends before it starts`)
    if (staySeconds > LONGEST_STAY_SECONDS) throw csvError(`${at}: the session takes more than a week`)
    const takenWh = scaledFloor(row.cell('Energy'), 3)
    if (takenWh === undefined || takenWh < 0n || takenWh > 1_000_000n) {
      throw csvError(`${at}: "${row.cell('Energy')}" is no energy in kWh`)
    }
    return { start, end, takenWh: Number(takenWh), lineNumber: row.lineNumber }
  })
}

function civilTime(text: string, at: string): CivilTime {
  const match = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/.exec(text)
  if (match === null) throw csvError(`${at}: "${text}" is not YYYY-MM-DD hh:mm:ss`)
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [number, ...number[]]
  return checkedCivilTime({ year, month: month!, day: day!, hour: hour!, minute: minute!, second: second! }, at)
}

export function checkedCivilTime(
  parts: { year: number; month: number; day: number; hour: number; minute: number; second: number },
  at: string,
): CivilTime {
  const { year, month, day, hour, minute, second } = parts
  const date = new Date(Date.UTC(year, month - 1, day))
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  if (!exists || hour > 23 || minute > 59 || second > 59) throw csvError(`${at}: there is no such date or time`)
  return { year, month, day, secondOfDay: hour * 3600 + minute * 60 + second }
}

/** The clock's reading as seconds since 1970, every day having 86 400 of them: the difference of two readings, not of two instants. */
export function civilSeconds(time: CivilTime): number {
  return Date.UTC(time.year, time.month - 1, time.day) / 1000 + time.secondOfDay
}
