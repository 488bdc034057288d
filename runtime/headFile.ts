import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { readU64, writeU64 } from '../protocol/bigEndian.ts'
import { dataCorrupted } from './dataCorrupted.ts'

// How far the journal certainly reaches, beside the database: a damaged write-ahead log drops the newest entries and the head
// pointer together, without an error, and inside the database nothing shows it. Written after each durable append and not synced,
// so it may lag after a power cut but never lead. Two places in turn: a torn write leaves the other.
//
//   2 × (sequence u64 | hash 32 | SHA-256 of both, 24)

const SLOT_BYTES = 64

export interface Head {
  /** Of the newest entry; 0 before the first. */
  readonly sequence: number
  readonly hash: Uint8Array
}

export class HeadFile {
  readonly #file: number
  readonly #slot = new Uint8Array(SLOT_BYTES)
  #turn = 0

  constructor(path: string) {
    this.#file = openSync(path, openFlags(path))
  }

  /** Undefined for a new file. */
  read(): Head | undefined {
    const bytes = new Uint8Array(2 * SLOT_BYTES)
    const length = readSync(this.#file, bytes, 0, bytes.length, 0)
    if (length === 0) return undefined
    const heads = [0, 1].flatMap((turn) => {
      const slot = bytes.subarray(turn * SLOT_BYTES, (turn + 1) * SLOT_BYTES)
      if (Buffer.compare(checksum(slot), slot.subarray(40)) !== 0) return []
      return [{ sequence: readU64(slot, 0), hash: slot.slice(8, 40), turn }]
    })
    heads.sort((a, b) => b.sequence - a.sequence)
    const newest = heads[0]
    if (newest === undefined) throw dataCorrupted('both places of the head file are unreadable')
    this.#turn = newest.turn ^ 1
    return newest
  }

  write(head: Head): void {
    writeU64(this.#slot, 0, head.sequence)
    this.#slot.set(head.hash, 8)
    this.#slot.set(checksum(this.#slot), 40)
    writeSync(this.#file, this.#slot, 0, SLOT_BYTES, this.#turn * SLOT_BYTES)
    this.#turn ^= 1
  }

  close(): void {
    closeSync(this.#file)
  }
}

function checksum(slot: Uint8Array): Uint8Array {
  return createHash('sha256').update(slot.subarray(0, 40)).digest().subarray(0, 24)
}

function openFlags(path: string): string {
  try {
    closeSync(openSync(path, 'r'))
    return 'r+'
  } catch {
    return 'w+'
  }
}
