import { readFileSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import { parse } from 'csv-parse/sync'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'

export interface InputRow {
  /** Reads a column with the same readers as options; @throws BackfeedError naming file, line and column. */
  read<T>(column: string, reader: (text: string) => T): T
  /** Undefined where the file has no such column. */
  readOptional<T>(column: string, reader: (text: string) => T): T | undefined
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
  return rows.map((row, index) => new Row(row, `${path}, line ${index + 2}`))
}

class Row implements InputRow {
  readonly #columns: Readonly<Record<string, string>>
  readonly #where: string

  constructor(columns: Readonly<Record<string, string>>, where: string) {
    this.#columns = columns
    this.#where = where
  }

  read<T>(column: string, reader: (text: string) => T): T {
    const where = `${this.#where}, ${column}`
    const text = this.#columns[column]
    if (text === undefined) throw unreadable(`${where}: the column is missing`)
    try {
      return reader(text)
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error
      throw unreadable(`${where}: "${text}": ${error.message}`)
    }
  }

  readOptional<T>(column: string, reader: (text: string) => T): T | undefined {
    return this.#columns[column] === undefined ? undefined : this.read(column, reader)
  }
}

function unreadable(problem: string): BackfeedError {
  return new BackfeedError('CSV_UNREADABLE', problem, { exitCode: ExitCode.usage })
}
