import { Scheme, type SchemeLayout, schemeLayout } from '../../protocol/scheme.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { verifyMetrics } from './metrics.ts'
import { type PoolSettings, VerifyPool } from './pool.ts'
import type { Verifier } from './verifier.ts'

export type EngineSettings = Pick<PoolSettings, 'workers' | 'rowsPerSlab' | 'slabs' | 'gatherMs' | 'maxKeysPerWorker'>

export interface VerifiedLane {
  readonly lane: number
  readonly layout: SchemeLayout
  readonly domain: Uint8Array
}

/** An engine for each scheme among the lanes. */
export class VerifyEngines {
  readonly #engines = new Map<Scheme, VerifyPool>()

  constructor(
    lanes: readonly VerifiedLane[],
    settings: { readonly p256: EngineSettings; readonly bls: EngineSettings },
    metrics: Metrics,
  ) {
    const measured = verifyMetrics(metrics)
    for (const scheme of new Set(lanes.map(({ layout }) => layout.scheme))) {
      const layout = schemeLayout(scheme)
      const domains = new Map(
        lanes.filter((lane) => lane.layout === layout).map(({ lane, domain }) => [lane, domain] as const),
      )
      const engine = scheme === Scheme.BLS ? settings.bls : settings.p256
      this.#engines.set(scheme, new VerifyPool({ ...engine, layout, domains, metrics: measured(layout.name) }))
    }
  }

  of({ scheme }: SchemeLayout): Verifier {
    const engine = this.#engines.get(scheme)
    if (engine === undefined) throw new Error(`no engine verifies scheme ${scheme}`)
    return engine
  }

  /** Records that each holds, whatever sizes they come in. */
  get maxRows(): Readonly<Partial<Record<Scheme, number>>> {
    return Object.fromEntries([...this.#engines].map(([scheme, engine]) => [scheme, engine.maxRows]))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#engines.values()].map((engine) => engine.close()))
  }
}
