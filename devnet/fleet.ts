import { recordDomain } from '../protocol/domain.ts'
import { P256_LAYOUT, type SchemeLayout } from '../protocol/scheme.ts'
import type { EvseSigner } from './evseSigner.ts'
import type { Discharge, FleetEvse } from './scenario.ts'

/** Export registers start here: a charger was never new. */
const FIRST_METER_WH = 1_000

/** The chargers: each turns what it measured into a signed record with its own meter and key. */
export class Fleet {
  readonly layout: SchemeLayout
  readonly #signers: readonly EvseSigner[]
  readonly #evses: readonly FleetEvse[]
  readonly #domain: Uint8Array
  readonly #metersWh: number[]

  constructor(parts: {
    signers: readonly EvseSigner[]
    evses: readonly FleetEvse[]
    chainId: bigint
    rollup: `0x${string}`
    lane: number
  }) {
    this.layout = parts.signers[0]?.layout ?? P256_LAYOUT
    this.#signers = parts.signers
    this.#evses = parts.evses
    this.#domain = recordDomain(parts)
    this.#metersWh = parts.evses.map(() => FIRST_METER_WH)
  }

  /** A row of the lane. Discharges of one charger must come in the order of its clock. */
  sign(discharge: Discharge): Uint8Array {
    const { evse } = discharge
    this.#metersWh[evse] = this.#metersWh[evse]! + discharge.energyWh
    const { lat, lon } = this.#evses[evse]!
    const record = { ...discharge, meterEndWh: this.#metersWh[evse]! }
    return this.#signers[evse]!.signRecord(record, { domain: this.#domain, lat, lon })
  }

  signAll(discharges: readonly Discharge[]): Uint8Array {
    const { rowBytes } = this.layout
    const rows = new Uint8Array(discharges.length * rowBytes)
    for (const [index, discharge] of discharges.entries()) rows.set(this.sign(discharge), index * rowBytes)
    return rows
  }
}
