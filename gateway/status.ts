import { MAX_LISTED_PROBLEMS } from './limits.ts'
import type { DescribesEvses, ReportsStatus, SourceProblem, SourceStatus } from './sourceStatus.ts'

/** An EVSE in a few words: what each source knows of it. */
export interface EvseStatus {
  readonly name: string
  readonly lane: number
  readonly slot: number
  readonly facts: Readonly<Record<string, string | number>>
  /** Codes of its problems. */
  readonly problems: readonly string[]
}

/** `/v1/status`. */
export interface GatewayStatus {
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number
  readonly startedAtMs: number
  readonly healthy: boolean
  readonly sources: readonly SourceStatus[]
  readonly evses: readonly EvseStatus[]
}

export interface StatusParts {
  readonly sources: readonly (ReportsStatus & Partial<DescribesEvses>)[]
  readonly entries: readonly { readonly name: string; readonly lane: number; readonly slot: number }[]
  readonly startedAtMs: number
  readonly now: () => number
}

export function gatewayStatus(parts: StatusParts): GatewayStatus {
  const sources = parts.sources.map((source) => source.status())
  const problemsOf = Map.groupBy(
    sources.flatMap(({ problems }) => problems),
    ({ evse }) => evse,
  )
  const evses = parts.entries.map(({ name, lane, slot }): EvseStatus => {
    const facts = Object.assign({}, ...parts.sources.map((source) => source.describeEvse?.(name)))
    return { name, lane, slot, facts, problems: (problemsOf.get(name) ?? []).map(({ code }) => code) }
  })
  return {
    nowMs: parts.now(),
    startedAtMs: parts.startedAtMs,
    healthy: unhealthy(sources).length === 0,
    sources: sources.map((source) => ({ ...source, problems: source.problems.slice(0, MAX_LISTED_PROBLEMS) })),
    evses,
  }
}

/**
 * Why the gateway as a whole is not well: a source through which nothing comes, or a fault that is not one EVSE's alone. A hot charger is
 * that charger's affair, and no reason to restart a gateway.
 */
export function unhealthy(sources: readonly SourceStatus[]): (SourceProblem & { readonly source: string })[] {
  return sources.flatMap(({ name, state, problems }) => {
    const own = problems
      .filter(({ evse, isOutside }) => evse === undefined && isOutside !== true)
      .map((problem) => ({ ...problem, source: name }))
    if (state !== 'DOWN' || own.length > 0) return own
    return [{ code: 'SOURCE_DOWN', message: `nothing comes through ${name}`, source: name }]
  })
}
