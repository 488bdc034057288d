import { randomFillSync } from 'node:crypto'
import { type EvseSigner, seededBlsSigner, seededEvseSigner } from '../devnet/evseSigner.ts'
import { socDropFor } from '../devnet/terms.ts'
import { INTERVAL_SECONDS, PERIOD_INTERVALS, RECORD_BYTES } from '../protocol/limits.ts'
import { encodeRecord } from '../protocol/record.ts'
import { P256_LAYOUT, Scheme, type SchemeLayout } from '../protocol/scheme.ts'
import { BENCH_DOMAIN, CAPACITY_WH, FIRST_PERIOD, KEY_SEED, NOW, placeOf, type WorkloadOptions } from './workload.ts'

/** The EVSEs of a workload: they discharge interval after interval, and every record settles. */
export class RecordMaker {
  readonly evses: number
  readonly layout: SchemeLayout
  readonly #signers: readonly EvseSigner[] | undefined
  readonly #next: Uint32Array
  readonly #meterWh: Float64Array

  constructor({ evses, keys, layout = P256_LAYOUT }: WorkloadOptions) {
    this.evses = evses
    this.layout = layout
    const signer = layout.scheme === Scheme.BLS ? seededBlsSigner : seededEvseSigner
    this.#signers = keys ? Array.from({ length: evses }, (_, slot) => signer(KEY_SEED, slot)) : undefined
    this.#next = new Uint32Array(evses).fill(FIRST_PERIOD * PERIOD_INTERVALS)
    this.#meterWh = new Float64Array(evses).fill(1_000)
  }

  /** The next record of each of these EVSEs in turn, record ‖ signature. */
  rows(evses: Iterable<number>, count: number): Uint8Array {
    const { rowBytes } = this.layout
    const rows = new Uint8Array(count * rowBytes)
    if (this.#signers === undefined) randomFillSync(rows)
    let row = 0
    for (const evse of evses) {
      const at = row++ * rowBytes
      const record = this.#nextRecord(evse)
      const signer = this.#signers?.[evse]
      if (signer === undefined) encodeRecord(record, rows, at)
      else rows.set(signer.signRecord(record, { domain: BENCH_DOMAIN, ...placeOf(evse) }), at)
    }
    if (row !== count) throw new RangeError(`${row} EVSEs for ${count} rows`)
    return rows
  }

  #nextRecord(evse: number) {
    const start = this.#next[evse]!++
    if ((start + 1) * INTERVAL_SECONDS > NOW) throw new RangeError('the priced periods are used up')
    const energyWh = 20 + (start % 20)
    this.#meterWh[evse]! += energyWh
    return {
      evse,
      contract: evse,
      start,
      intervals: 1,
      energyWh,
      meterEndWh: this.#meterWh[evse]!,
      socDrop: socDropFor(energyWh, CAPACITY_WH),
      tempC: 30,
    }
  }
}

/** `from`, `from + step`, … below `end`, over and over, `count` in all; goes on where the last call ended. */
export function* inTurn(turn: { next: number }, span: { from: number; step: number; end: number }, count: number) {
  const places = Math.ceil((span.end - span.from) / span.step)
  for (let i = 0; i < count; i++) yield span.from + span.step * (turn.next++ % places)
}

let scatter = 0

/** EVSEs all over the tree, none twice before all have been: a multiplicative step that is coprime to their number. */
export function* scattered(evses: number, count: number): Iterable<number> {
  const step = 619_763
  for (let i = 0; i < count; i++) yield (scatter++ * step) % evses
}

export function splitRows(rows: Uint8Array, rowsEach: number, rowBytes = P256_LAYOUT.rowBytes): Uint8Array[] {
  const bytes = rowsEach * rowBytes
  return Array.from({ length: Math.ceil(rows.length / bytes) }, (_, i) => rows.subarray(i * bytes, (i + 1) * bytes))
}

export const signatureOf = (rows: Uint8Array, row: number): Uint8Array =>
  rows.subarray(row * P256_LAYOUT.rowBytes + RECORD_BYTES, (row + 1) * P256_LAYOUT.rowBytes)
