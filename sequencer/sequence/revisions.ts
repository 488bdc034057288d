import { EntryKind, type InsertedEntry, type RedatedEntry } from '../store/entry.ts'
import type { Revision } from '../store/journal.ts'

/**
 * What was decided of batches after they had been written. The journal names a batch by the index that it had then; every insertion
 * moves those behind it on by one.
 */
export class Revisions {
  readonly #all: readonly Revision[]

  /** In the journal's order. */
  constructor(all: readonly Revision[]) {
    this.#all = all
  }

  /** Today's index of the batch that entry `sequence` calls `batch`. */
  indexOf(batch: number, sequence: number): number {
    return this.#indexAt(batch, sequence, Number.POSITIVE_INFINITY)
  }

  /** The last redating of that batch, if any. */
  datingOf(batch: number, sequence: number): (RedatedEntry & { sequence: number }) | undefined {
    for (let i = this.#all.length - 1; i >= 0; i--) {
      const revision = this.#all[i]!
      if (revision.sequence < sequence) return undefined
      if (revision.kind !== EntryKind.REDATED) continue
      const index = this.#indexAt(batch, sequence, revision.sequence)
      if (revision.firstBatch <= index && index <= revision.lastBatch) return revision
    }
    return undefined
  }

  /** Whether it, or a batch before it, was revised after entry `sequence`: it came to another root then. */
  isRevisedAfter(batch: number, sequence: number): boolean {
    return this.#all.some((revision) => {
      if (revision.sequence <= sequence) return false
      const first = revision.kind === EntryKind.REDATED ? revision.firstBatch : revision.batch
      return first <= this.#indexAt(batch, sequence, revision.sequence)
    })
  }

  /** Inserted batches by today's index. */
  insertions(): Map<number, InsertedEntry & { sequence: number }> {
    const found = new Map<number, InsertedEntry & { sequence: number }>()
    for (const revision of this.#all) {
      if (revision.kind === EntryKind.INSERTED) found.set(this.indexOf(revision.batch, revision.sequence), revision)
    }
    return found
  }

  #indexAt(batch: number, after: number, before: number): number {
    let index = batch
    for (const revision of this.#all) {
      const { kind, sequence } = revision
      if (kind === EntryKind.INSERTED && after < sequence && sequence < before && revision.batch <= index) index++
    }
    return index
  }
}
