import { readFileSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import { parse } from 'csv-parse/sync'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'

export interface InputRow {
  /** Reads a column with the same readers as options; @throws BackfeedError naming file, line and column. */
  read<T>(column: string, reader: (text: string) => T): T
}

/** A CSV file whose first line names its columns. */
export function readInputRows(path: string): InputRow[] {
  let rows: Record<string, string>[]
  try {
    rows = parse(readFileSync(path, 'utf8'), { bom: true, columns: true, skip_empty_lines: true, trim: true })
  } catch (cause) {
    throw new BackfeedError('CSV_UNREADABLE', `cannot read ${path} as CSV`, { exitCode: ExitCode.usage, cause })
  }
  if (rows.length === 0) throw new BackfeedError('CSV_UNREADABLE', `${path} has no rows`, { exitCode: ExitCode.usage })
  return rows.map((row, index) => ({
    read: (column, reader) => {
      const where = `${path}, line ${index + 2}, ${column}`
      const text = row[column]
      if (text === undefined) {
        throw new BackfeedError('CSV_UNREADABLE', `${where}: the column is missing`, { exitCode: ExitCode.usage })
      }
      try {
        return reader(text)
      } catch (error) {
        if (!(error instanceof InvalidArgumentError)) throw error
        throw new BackfeedError('CSV_UNREADABLE', `${where}: "${text}": ${error.message}`, { exitCode: ExitCode.usage })
      }
    },
  }))
}
