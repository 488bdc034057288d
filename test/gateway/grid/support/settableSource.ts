import type { GridEvent, GridPicture, PriceInterval } from '../../../../gateway/grid/model/gridEvent.ts'
import type { GridSource } from '../../../../gateway/grid/model/gridSource.ts'
import type { SourceStatus } from '../../../../gateway/sourceStatus.ts'
import { PERIOD_SECONDS } from '../../../../protocol/limits.ts'

/** A source whose picture the test paints. */
export class SettableSource implements GridSource {
  readonly name: string
  #picture: GridPicture
  readonly #listeners = new Set<() => void>()

  constructor(name: string, picture: Partial<GridPicture>) {
    this.name = name
    this.#picture = { isKnown: true, events: [], prices: [], ...picture }
  }

  set(picture: Partial<GridPicture>): void {
    this.#picture = { isKnown: true, events: [], prices: [], ...picture }
    for (const listener of this.#listeners) listener()
  }

  picture(): GridPicture {
    return this.#picture
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  poke(): void {}

  status(): SourceStatus {
    return { name: `grid.${this.name}`, state: 'UP', figures: {}, problems: [] }
  }
}

/** `nano` (10^-9 token per Wh) for `count` periods. */
export function price(firstPeriod: number, count: number, nano: number): PriceInterval {
  return {
    start: firstPeriod * PERIOD_SECONDS,
    end: (firstPeriod + count) * PERIOD_SECONDS,
    attoPerWh: BigInt(nano) * 1_000_000_000n,
    opensGate: false,
  }
}

/** An event that asks for 10 kW in `count` periods; 0: it was called off. */
export function event(id: string, firstPeriod: number, count: number): GridEvent {
  const span = { start: firstPeriod * PERIOD_SECONDS, end: (firstPeriod + count) * PERIOD_SECONDS }
  return {
    source: 'utility',
    id,
    description: undefined,
    state: 'scheduled',
    primacy: 1,
    controls: [{ kind: 'targetW', value: 10_000, nominal: span, effective: span }],
  }
}
