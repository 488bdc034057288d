import type { RangeReceipt, SignedMicroBatch } from '../../protocol/receipt.ts'
import type { ReceiptTree } from '../../protocol/receiptTree.ts'

/** 64 bytes each: 8 MB a lane. What is asked of is nearly always what was just signed. */
const MAX_KEPT_RECORDS = 131_072
const MAX_KEPT_TREES = 64

export interface SignedTree {
  readonly signed: SignedMicroBatch
  readonly tree: ReceiptTree
}

/** Micro-batches used last, so that neither an answer nor somebody who sends an old record again costs a reading of the journal. */
export class SignedTrees {
  /** The one used last at the end. */
  readonly #kept: SignedTree[] = []
  #records = 0

  keep(entry: SignedTree): void {
    this.#kept.push(entry)
    this.#records += entry.signed.count
    while (this.#kept.length > MAX_KEPT_TREES || (this.#records > MAX_KEPT_RECORDS && this.#kept.length > 1)) {
      this.#records -= this.#kept.shift()!.signed.count
    }
  }

  holding(position: number): SignedTree | undefined {
    const at = this.#kept.findLastIndex(({ signed }) => covers(signed, position))
    if (at < 0) return undefined
    const [entry] = this.#kept.splice(at, 1)
    this.#kept.push(entry!)
    return entry
  }
}

export function covers(
  { firstPosition, count }: Pick<SignedMicroBatch, 'firstPosition' | 'count'>,
  position: number,
): boolean {
  return position >= firstPosition && position < firstPosition + count
}

export function rangeReceipt({ signed, tree }: SignedTree, position: number, records: number): RangeReceipt {
  return { ...signed, position, records, siblings: tree.siblings(position - signed.firstPosition, records) }
}
