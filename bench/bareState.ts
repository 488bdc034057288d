import { createHash } from 'node:crypto'
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { hashInto } from '@chainsafe/hashtree'
import { readU32 } from '../protocol/bigEndian.ts'
import { P256_CHUNK_RECORDS } from '../protocol/limits.ts'
import { SIGNED_RECORD_BYTES } from '../protocol/record.ts'
import { WINDOW_MOMENTS } from '../protocol/treeWindow.ts'
import { measure, type Spent } from './measure.ts'

const PAIR_BYTES = 64
const NODE_BYTES = 32
const CHUNK_BYTES = P256_CHUNK_RECORDS * SIGNED_RECORD_BYTES
const WINDOW_BYTES = WINDOW_MOMENTS * CHUNK_BYTES

/**
 * Pairs that two trees of `depth` must hash for the roots after every chunk of these rows: the distinct ancestors of what changed in it,
 * a call for a level of as many chunks as the writer's trees hash together.
 */
export function pairsToHash(rows: Uint8Array, depth: number): number[] {
  const calls: number[] = []
  for (let at = 0; at < rows.length; at += WINDOW_BYTES) {
    const window = rows.subarray(at, at + WINDOW_BYTES)
    for (const field of [0, 4]) calls.push(...pairsOfWindow(window, field, depth))
  }
  return calls
}

/** Of the tree whose leaf a record names at byte `field`, by level. */
function pairsOfWindow(rows: Uint8Array, field: number, depth: number): number[] {
  const pairs: number[] = Array(depth).fill(0)
  const nodes = new Uint32Array(P256_CHUNK_RECORDS)
  for (let at = 0; at < rows.length; at += CHUNK_BYTES) {
    let count = 0
    for (let row = at; row < Math.min(at + CHUNK_BYTES, rows.length); row += SIGNED_RECORD_BYTES) {
      nodes[count++] = readU32(rows, row + field)
    }
    nodes.subarray(0, count).sort()
    for (let level = 0; level < depth; level++) {
      let parents = 0
      for (let i = 0; i < count; i++) {
        const parent = nodes[i]! >>> 1
        if (parents === 0 || nodes[parents - 1] !== parent) nodes[parents++] = parent
      }
      count = parents
      pairs[level]! += count
    }
  }
  return pairs
}

/** The hashing that the roots take, by native calls as large as the writer's over memory that lies ready in one piece: hashtree alone. */
export async function bareHashing(calls: readonly number[]): Promise<Spent> {
  const most = WINDOW_MOMENTS * P256_CHUNK_RECORDS
  const pairs = new Uint8Array(most * PAIR_BYTES)
  const out = new Uint8Array(most * NODE_BYTES)
  const views = Array.from({ length: most + 1 }, (_, count) => ({
    from: pairs.subarray(0, count * PAIR_BYTES),
    to: out.subarray(0, count * NODE_BYTES),
  }))
  return await measure(async () => {
    for (const count of calls) hashInto(views[count]!.from, views[count]!.to)
  })
}

/** The rows to a file and to the disk, so many a write, chained by SHA-256: a journal with nothing else to it. */
export async function bareJournal(folder: string, rows: Uint8Array, rowsAWrite: number): Promise<Spent> {
  const file = openSync(join(folder, 'bare.journal'), 'w')
  const spent = await measure(async () => {
    let hash: Uint8Array = new Uint8Array(32)
    for (let at = 0; at < rows.length; at += rowsAWrite * SIGNED_RECORD_BYTES) {
      const part = rows.subarray(at, at + rowsAWrite * SIGNED_RECORD_BYTES)
      hash = createHash('sha256').update(hash).update(part).digest()
      writeSync(file, part)
      writeSync(file, hash)
      fdatasyncSync(file)
    }
  })
  closeSync(file)
  return spent
}
