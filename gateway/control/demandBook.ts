import { DEMAND_SOURCES, type Demand, type DemandSource } from './demand.ts'

interface Wants {
  forAll: Demand | undefined
  readonly forOne: Map<string, Demand>
}

/** The demands that hold, and which of them counts for an EVSE. Holds at most one a source for each EVSE and one a source for all. */
export class DemandBook {
  readonly #wants = new Map<DemandSource, Wants>(
    DEMAND_SOURCES.map((source) => [source, { forAll: undefined, forOne: new Map() }]),
  )

  take(demand: Demand, nowMs: number): void {
    const wants = this.#wants.get(demand.source)!
    const isOver = demand.untilMs <= nowMs
    if (demand.evse === undefined) wants.forAll = isOver ? undefined : demand
    else if (isOver) wants.forOne.delete(demand.evse)
    else wants.forOne.set(demand.evse, demand)
  }

  /** What counts for an EVSE now; undefined: nobody wants anything. */
  for(evse: string, nowMs: number): Demand | undefined {
    for (const source of DEMAND_SOURCES) {
      const { forAll, forOne } = this.#wants.get(source)!
      const own = forOne.get(evse)
      if (own !== undefined && own.untilMs > nowMs) return own
      if (forAll !== undefined && forAll.untilMs > nowMs) return forAll
    }
    return undefined
  }
}
