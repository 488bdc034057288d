import { writeFileSync } from 'node:fs'
import { TREE_DEPTH } from '../protocol/limits.ts'
import { bareHashing, bareJournal, pairsToHash } from './bareState.ts'
import { serveCalls } from './helperProcess.ts'
import type { Spent } from './measure.ts'
import { RecordMaker, scattered } from './recordMaker.ts'

// Records for a writer, and the writer's limit: `WriterLoad` tells it what to do.

export interface WriterLimit {
  readonly hashing: Spent
  readonly journal: Spent
  /** That the roots of these rows take. */
  readonly pairs: number
}

let maker: RecordMaker
let rows: Uint8Array

const calls = {
  play: async (evses: number): Promise<void> => {
    maker = new RecordMaker({ evses, keys: false })
  },
  make: async (count: number, file: string): Promise<void> => {
    rows = maker.rows(scattered(maker.evses, count), count)
    writeFileSync(file, rows)
  },
  limit: async (rowsAWrite: number, folder: string): Promise<WriterLimit> => {
    const pairsOfCalls = pairsToHash(rows, TREE_DEPTH)
    const hashing = await bareHashing(pairsOfCalls)
    const journal = await bareJournal(folder, rows, rowsAWrite)
    return { hashing, journal, pairs: pairsOfCalls.reduce((sum, count) => sum + count, 0) }
  },
}
export type WriterLoadCalls = typeof calls

serveCalls(calls)
