/** Who asks, the strongest first: an operator overrides a grid event, which overrides a price, which overrides a schedule. */
export const DEMAND_SOURCES = ['operator', 'grid', 'price', 'schedule'] as const
export type DemandSource = (typeof DEMAND_SOURCES)[number]

/**
 * How much is wanted from EVSEs. Each source has one demand for each EVSE and one for all; a newer one replaces it, and one for a single EVSE
 * comes before one for all of the same source. What is wanted is never more than an EVSE's rated power, and its guard may give less.
 */
export interface Demand {
  readonly source: DemandSource
  /** An EVSE's name, or undefined for every EVSE. */
  readonly evse: string | undefined
  /** For each EVSE. 0 asks for nothing, and holds weaker sources back as long as it lasts. */
  readonly watts: number
  /** Milliseconds since the Unix epoch by the gateway's clock; not after now withdraws the demand. */
  readonly untilMs: number
  /** For logs and status: the event's name, the price, the operator's words. */
  readonly reason: string
}

/** Never waits, never throws: a demand for an unknown EVSE is logged. */
export type DemandSink = (demand: Demand) => void
