import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { BackfeedError, ExitCode } from './errors.ts'

export interface CsvRow {
  /** Of the row in the file, the heading being 1. */
  readonly lineNumber: number
  readonly cell: (column: string) => string
}

/** Rows of a CSV file that must have `columns`. @throws BackfeedError CSV_UNREADABLE */
export function readCsvRows(path: string, columns: readonly string[]): CsvRow[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw csvError(`cannot read ${path}`, cause)
  }
  return parseCsvRows(text, columns, path)
}

export function parseCsvRows(text: string, columns: readonly string[], origin: string): CsvRow[] {
  let table: string[][]
  try {
    table = parse(text, { bom: true, skip_empty_lines: true, trim: true })
  } catch (cause) {
    throw csvError(`${origin} is not valid CSV`, cause)
  }
  const heading = table[0] ?? []
  const missing = columns.filter((column) => !heading.includes(column))
  if (missing.length > 0) throw csvError(`${origin} has no column ${missing.map((name) => `"${name}"`).join(', ')}`)
  return table.slice(1).map((cells, index) => ({
    lineNumber: index + 2,
    cell: (column) => cells[heading.indexOf(column)] ?? '',
  }))
}

export function csvError(message: string, cause?: unknown): BackfeedError {
  return new BackfeedError('CSV_UNREADABLE', message, { exitCode: ExitCode.usage, cause })
}
