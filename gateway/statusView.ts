import { stripVTControlCharacters, styleText } from 'node:util'
import type { SourceProblem, SourceState } from './sourceStatus.ts'
import type { EvseStatus, GatewayStatus } from './status.ts'

export interface ViewSize {
  readonly columns: number
  /** As many lines at most; of EVSEs those with problems come first. Undefined: all. */
  readonly rows?: number | undefined
}

type Paint = Parameters<typeof styleText>[0]

const COLOURS: Readonly<Record<SourceState, Paint>> = { UP: 'green', DEGRADED: 'yellow', DOWN: 'red' }
/** Lines that problems may take before EVSEs lose theirs. */
const MOST_PROBLEM_LINES = 12

/** The status as lines for a terminal. */
export function statusLines(status: GatewayStatus, size: ViewSize): string[] {
  const head = headLine(status)
  const sources = sourceLines(status)
  const problems = problemLines(status)
  // Beside them: the head, three blank lines, the heading of the EVSEs, and how many more there are.
  const used = sources.length + problems.length + 6
  const room = size.rows === undefined ? status.evses.length : Math.max(3, size.rows - used)
  const lines = [head, '', ...sources, '', ...evseLines(status.evses, room)]
  if (problems.length > 0) lines.push('', ...problems)
  return lines.map((line) => cut(line, size.columns))
}

function headLine({ healthy, nowMs, startedAtMs }: GatewayStatus): string {
  const health = healthy ? styleText('green', 'healthy') : styleText('red', 'NOT HEALTHY')
  return `${styleText('bold', 'backfeed gateway')}  ${health}  up ${duration(nowMs - startedAtMs)}  ${new Date(nowMs).toISOString()}`
}

function sourceLines({ sources }: GatewayStatus): string[] {
  const rows = sources.map(({ name, state, figures }) => [
    name,
    styleText(COLOURS[state], state),
    Object.entries(figures)
      .map(([what, value]) => `${words(what)} ${styleText('bold', shown(value))}`)
      .join(styleText('dim', ' · ')),
  ])
  return table(['SOURCE', 'STATE', ''], rows)
}

function evseLines(evses: readonly EvseStatus[], room: number): string[] {
  const sorted = [...evses].sort((a, b) => b.problems.length - a.problems.length)
  const listed = sorted.slice(0, room)
  const columns = [...new Set(listed.flatMap(({ facts }) => Object.keys(facts)))]
  const rows = listed.map(({ name, lane, slot, facts, problems }) => [
    name,
    `${lane}/${slot}`,
    ...columns.map((column) => (facts[column] === undefined ? '' : shown(facts[column]))),
    styleText('yellow', problems.join(' ')),
  ])
  const lines = table(['EVSE', 'LANE/SLOT', ...columns.map((column) => words(column).toUpperCase()), ''], rows)
  if (listed.length < evses.length) lines.push(styleText('dim', `… and ${evses.length - listed.length} more`))
  return lines
}

function problemLines({ sources }: GatewayStatus): string[] {
  const all = sources.flatMap(({ name, problems }) => problems.map((problem) => ({ name, ...problem })))
  const byCode = Map.groupBy(all, ({ code, evse, message }) => (evse === undefined ? `${code} ${message}` : code))
  const rows = [...byCode.values()].map((same) => [
    styleText(same[0]!.evse === undefined ? 'red' : 'yellow', same[0]!.code),
    same[0]!.name,
    same.length === 1 ? same[0]!.message : `${same.length} EVSEs: ${named(same)}`,
  ])
  if (rows.length === 0) return []
  const lines = table(['PROBLEM', 'SOURCE', ''], rows.slice(0, MOST_PROBLEM_LINES))
  if (rows.length > MOST_PROBLEM_LINES) lines.push(styleText('dim', `… and ${rows.length - MOST_PROBLEM_LINES} more`))
  return lines
}

function named(problems: readonly SourceProblem[]): string {
  const names = problems.slice(0, 5).map(({ evse }) => evse)
  return `${names.join(', ')}${problems.length > names.length ? ', …' : ''}`
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const width = (text: string): number => stripVTControlCharacters(text).length
  const widths = heading.map((title, i) => Math.max(width(title), ...rows.map((row) => width(row[i] ?? ''))))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell + ' '.repeat(widths[i]! - width(cell) + 2))
      .join('')
      .trimEnd()
  return [styleText('dim', line(heading)), ...rows.map(line)]
}

/** `oldestWaiting` is shown as `oldest waiting`. */
function words(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()
}

function shown(value: string | number): string {
  if (typeof value === 'string') return value
  return Number.isInteger(value) ? value.toLocaleString('en-US') : value.toFixed(1)
}

function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`
  if (minutes < 60) return `${minutes} min`
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${Math.floor(minutes / 1_440)} d ${Math.floor((minutes % 1_440) / 60)} h`
}

/** Cuts at the terminal's edge without cutting a colour in two. */
function cut(line: string, columns: number): string {
  if (stripVTControlCharacters(line).length <= columns) return line
  let seen = 0
  let out = ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape is what is looked for
  for (const [part] of line.matchAll(/\u001b\[[0-9;]*m|[^\u001b]/g)) {
    if (part.length > 1) out += part
    else if (++seen < columns) out += part
  }
  return `${out}…`
}
