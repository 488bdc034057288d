import type { AnsweredRow, Outbox, OutboxRow } from '../../../evse/outbox/outbox.ts'
import type { EdgeStore, EntryRange, StoreOp } from '../../../evse/store/edgeStore.ts'
import { decodeRecord, type DischargeRecord, encodeRecord } from '../../../protocol/record.ts'
import { BackfeedError } from '../../../runtime/errors.ts'

/** A disk that survives, and processes on it that do not. */
export class CrashingDisk {
  readonly values = new Map<string, Uint8Array>()
  writes = 0

  /**
   * A process on this disk that dies at its write number `crashAt` (from 1; 0: never): before anything of it is written, or after all of
   * it is, without an answer. Nothing that it does afterwards reaches the disk.
   */
  boot(crashAt = 0, isWritten = false): EdgeStore & { readonly isDead: boolean } {
    const { values } = this
    let count = 0
    let isDead = false
    const dead = (): BackfeedError => new BackfeedError('STORE_FAILED', 'the process died', { retryable: true })
    const write = async (ops: readonly StoreOp[]): Promise<void> => {
      await Promise.resolve()
      if (isDead) throw dead()
      isDead = ++count === crashAt
      if (isDead && !isWritten) throw dead()
      this.writes++
      for (const { key, value } of ops) {
        if (value === undefined) values.delete(key)
        else values.set(key, value.slice())
      }
      if (isDead) throw dead()
    }
    const close = async (): Promise<void> => {}
    return {
      get isDead() {
        return isDead
      },
      get: async (key) => values.get(key),
      write,
      entries: (prefix, range) => sorted(values, prefix, range),
      close,
      [Symbol.asyncDispose]: close,
    }
  }

  /** What left for the sequencer, in order. */
  records(): DischargeRecord[] {
    const rows = [...this.values].filter(([key]) => key.startsWith('box/')).sort(([a], [b]) => (a < b ? -1 : 1))
    return rows.map(([, row]) => decodeRecord(row))
  }
}

async function* sorted(
  values: ReadonlyMap<string, Uint8Array>,
  prefix: string,
  range: EntryRange = {},
): AsyncIterable<readonly [string, Uint8Array]> {
  const keys = [...values.keys()].filter((key) => key.startsWith(prefix)).sort()
  for (const key of keys.slice(0, range.limit ?? keys.length)) yield [key, values.get(key)!]
}

/** An outbox that only keeps: in the same write as the caller's own. */
export function plainOutbox(store: EdgeStore): Outbox & { answer(row: AnsweredRow): void; isFull: boolean } {
  const listeners = new Set<(row: AnsweredRow) => void>()
  return {
    isFull: false,
    async put(rows: readonly OutboxRow[], also: readonly StoreOp[] = []) {
      if (this.isFull) throw new BackfeedError('OUTBOX_FULL', 'full', { retryable: true })
      const key = ({ row }: OutboxRow): string => `box/${Buffer.from(row.subarray(0, 4)).toString('hex')}/${hex(row)}`
      await store.write([...rows.map((row) => ({ key: key(row), value: row.row })), ...also])
    },
    onAnswered(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    find: async () => undefined,
    answer: (row) => {
      for (const listener of listeners) listener(row)
    },
  }
}

const hex = (row: Uint8Array): string => Buffer.from(row.subarray(8, 24)).toString('hex')

export function unsigned(record: DischargeRecord): Uint8Array {
  const row = new Uint8Array(88)
  encodeRecord(record, row)
  return row
}
