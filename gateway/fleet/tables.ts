import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'csv-parse/sync'
import type { z } from 'zod'
import { parseConfig } from '../../runtime/config.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { MAX_CONTRACTS, MAX_EVSES } from '../limits.ts'
import { type ContractEntry, contractEntrySchema, type EvseEntry, evseEntrySchema, type FleetConfig } from './config.ts'

export interface FleetTables {
  readonly evses: readonly EvseEntry[]
  readonly contracts: readonly ContractEntry[]
}

/** Columns that are not text. Everything else is taken as it stands: `0012` is a label, not a number. */
const EVSE_COLUMNS: Readonly<Record<string, (text: string) => unknown>> = {
  lane: number,
  slot: number,
  evseId: number,
  lat: number,
  lon: number,
  'signer.slot': number,
  'signer.certificateInToken': scalar,
}
const CONTRACT_COLUMNS: typeof EVSE_COLUMNS = {
  lane: number,
  slot: number,
  tokens: (text) => text.split(';').map((token) => token.trim()),
}

/**
 * The EVSEs and contracts of the configuration and of its CSV files together.
 * @throws BackfeedError CONFIG_INVALID, CONFIG_UNREADABLE: naming file, line and column, or the two entries that contradict each other
 */
export function readFleetTables(
  fleet: FleetConfig,
  /** Of the configuration, which files are looked for beside; undefined: the working directory. */
  configPath?: string,
): FleetTables {
  const { evsesFile, contractsFile } = fleet
  const beside = (file: string): string => resolve(configPath === undefined ? '.' : dirname(configPath), file)
  const evses = [...fleet.evses]
  const contracts = [...fleet.contracts]
  if (evsesFile !== undefined) evses.push(...readCsv(beside(evsesFile), evseEntrySchema, EVSE_COLUMNS))
  if (contractsFile !== undefined) {
    contracts.push(...readCsv(beside(contractsFile), contractEntrySchema, CONTRACT_COLUMNS))
  }
  checkFleet({ evses, contracts })
  return { evses, contracts }
}

function readCsv<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  readers: Readonly<Record<string, (text: string) => unknown>>,
): z.infer<Schema>[] {
  let lines: { record: Record<string, string>; info: { lines: number } }[]
  try {
    lines = parse(readFileSync(path, 'utf8'), {
      bom: true,
      columns: true,
      info: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as typeof lines
  } catch (cause) {
    throw new BackfeedError('CONFIG_UNREADABLE', `cannot read ${path} as CSV`, { exitCode: ExitCode.usage, cause })
  }
  return lines.map(({ record, info }) =>
    parseConfig(schema, unflatten(record, readers), `${path}, line ${info.lines}`),
  ) as z.infer<Schema>[]
}

/** `{'signer.kind': 'file'}` is `{signer: {kind: 'file'}}`; an empty cell is an absent key. */
function unflatten(
  record: Readonly<Record<string, string>>,
  readers: Readonly<Record<string, (text: string) => unknown>>,
): Record<string, unknown> {
  const entry: Record<string, unknown> = {}
  for (const [column, text] of Object.entries(record)) {
    if (text === '') continue
    const [key = '', inner] = column.split('.', 2)
    const reader = readers[column] ?? (key === 'metering' ? scalar : undefined)
    const value = reader === undefined ? text : reader(text)
    if (inner === undefined) entry[key] = value
    else entry[key] = { ...(entry[key] as object | undefined), [inner]: value }
  }
  return entry
}

function number(text: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

function scalar(text: string): unknown {
  return text === 'true' ? true : text === 'false' ? false : number(text)
}

/** What one entry cannot see: that no two are the same thing. */
function checkFleet({ evses, contracts }: FleetTables): void {
  if (evses.length > MAX_EVSES) fault(`fleet.evses: ${evses.length}, and one gateway serves at most ${MAX_EVSES}`)
  if (contracts.length > MAX_CONTRACTS)
    fault(`fleet.contracts: ${contracts.length}, and at most ${MAX_CONTRACTS} are kept`)
  const unique = <T>(what: string, list: readonly T[], keyOf: (item: T) => string | undefined): void => {
    const seen = new Set<string>()
    for (const item of list) {
      const key = keyOf(item)
      if (key === undefined) continue
      if (seen.has(key)) fault(`${what}: ${key} is there twice`)
      seen.add(key)
    }
  }
  unique('evses.name', evses, ({ name }) => name)
  unique('evses.slot', evses, ({ lane, slot }) => `slot ${slot} of lane ${lane}`)
  unique('evses.station', evses, ({ station, evseId }) => station && `EVSE ${evseId} of station ${station}`)
  unique('contracts.slot', contracts, ({ lane, slot }) => `slot ${slot} of lane ${lane}`)
  const tokens = contracts.flatMap(({ lane, tokens: own }) => own.map((token) => ({ lane, token })))
  unique('contracts.tokens', tokens, ({ lane, token }) => `token ${token.toLowerCase()} in lane ${lane}`)
}

function fault(problem: string): never {
  throw new BackfeedError('CONFIG_INVALID', problem, { exitCode: ExitCode.usage })
}
