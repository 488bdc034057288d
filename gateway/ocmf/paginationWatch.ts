import { MAX_WATCHED_METERS } from './limits.ts'
import type { VerifiedValue } from './signedValue.ts'

/**
 * FIRST: nothing to compare with. NEXT: as it should be. MISSING: values between this one and the last never came. REPEATED: the same page
 * again. BACK: an older page, or a counter that began again.
 */
export type PageOrder =
  | { readonly order: 'FIRST' | 'NEXT' | 'REPEATED' | 'BACK' }
  | { readonly order: 'MISSING'; readonly count: number }

/**
 * Watches the page counters of meters (PG), one for each kind of a serial. A gap is worth a look and no more: stations send some values only on
 * request, and old ones late. Forgets the meter that was silent longest when there are too many.
 */
export class PaginationWatch {
  readonly #last = new Map<string, number>()

  /** `meter`: whose key it is. Undefined: the value has no page. */
  see(meter: string, { pagination, serial }: Pick<VerifiedValue, 'pagination' | 'serial'>): PageOrder | undefined {
    if (pagination === undefined) return undefined
    const id = JSON.stringify([meter, serial, pagination.kind])
    const last = this.#last.get(id)
    const { number } = pagination
    if (last !== undefined && number < last) return { order: 'BACK' }
    this.#last.delete(id)
    this.#last.set(id, number)
    if (this.#last.size > MAX_WATCHED_METERS) this.#last.delete(this.#last.keys().next().value!)
    if (last === undefined) return { order: 'FIRST' }
    if (number === last) return { order: 'REPEATED' }
    return number === last + 1 ? { order: 'NEXT' } : { order: 'MISSING', count: number - last - 1 }
  }
}
