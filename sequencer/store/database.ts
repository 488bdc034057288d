import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { dataCorrupted } from './corrupted.ts'
import type { Bytes } from './keys.ts'

export type WriteOperation =
  | { readonly type: 'put'; readonly key: Bytes; readonly value: Bytes }
  | { readonly type: 'del'; readonly key: Bytes }

/** What the journal and its neighbours need of a key-value store. */
export interface Database {
  readonly folder: string
  get(key: Bytes): Promise<Bytes | undefined>
  getMany(keys: Bytes[]): Promise<(Bytes | undefined)[]>
  /** All or nothing, and on disk when it resolves. */
  write(operations: WriteOperation[]): Promise<void>
  /** All or nothing, for what can be computed again: survives the process, but maybe not a power cut. */
  note(operations: WriteOperation[]): Promise<void>
  /** Keys from `from` on, up to `to` exclusive, in order. */
  entries(from: Bytes, to: Bytes, reverse?: boolean): AsyncIterable<[Bytes, Bytes]>
  /** After a failed write the library may refuse every further one until it is opened anew. */
  reopen(): Promise<void>
  close(): Promise<void>
}

const MARKER = 'store.json'
const FORMAT = 1

/** Whose data a folder holds: a folder of another deployment must not be taken for this one's. */
export interface StoreOwner {
  readonly chainId: number
  readonly rollup: string
}

/**
 * Opens `folder`/db, creating it only the first time: afterwards a missing file would otherwise open "fine" as an empty
 * database (LevelDB without its CURRENT file), and a lane would start over.
 */
export async function openDatabase(folder: string, owner: StoreOwner): Promise<Database> {
  mkdirSync(folder, { recursive: true })
  const marker = join(folder, MARKER)
  const first = !existsSync(marker)
  if (first) {
    if (existsSync(join(folder, 'db', 'CURRENT'))) throw dataCorrupted(`${marker} is missing beside a database`)
  } else checkMarker(marker, owner)
  const path = join(folder, 'db')
  const level = await openLevel(path, first)
  if (first) writeDurably(marker, `${JSON.stringify({ format: FORMAT, ...owner })}\n`)
  return new LevelDatabase(folder, path, level)
}

class LevelDatabase implements Database {
  readonly folder: string
  readonly #path: string
  #level: Level<Bytes, Bytes>

  constructor(folder: string, path: string, level: Level<Bytes, Bytes>) {
    this.folder = folder
    this.#path = path
    this.#level = level
  }

  get(key: Bytes): Promise<Bytes | undefined> {
    return this.#level.get(key)
  }

  getMany(keys: Bytes[]): Promise<(Bytes | undefined)[]> {
    return this.#level.getMany(keys)
  }

  write(operations: WriteOperation[]): Promise<void> {
    return this.#put(operations, true)
  }

  note(operations: WriteOperation[]): Promise<void> {
    return this.#put(operations, false)
  }

  async #put(operations: WriteOperation[], sync: boolean): Promise<void> {
    // A chained batch takes a put straight into LevelDB's own: an array of a micro-batch's operations costs five times as much of
    // this thread, looked through once in JavaScript and once property by property from outside.
    const batch = this.#level.batch()
    for (const operation of operations) {
      if (operation.type === 'put') batch.put(operation.key, operation.value)
      else batch.del(operation.key)
    }
    await batch.write({ sync })
  }

  async *entries(from: Bytes, to: Bytes, reverse = false): AsyncIterable<[Bytes, Bytes]> {
    yield* this.#level.iterator({ gte: from, lt: to, reverse })
  }

  async reopen(): Promise<void> {
    await this.#level.close()
    this.#level = await openLevel(this.#path, false)
  }

  async close(): Promise<void> {
    await this.#level.close()
  }
}

async function openLevel(path: string, createIfMissing: boolean): Promise<Level<Bytes, Bytes>> {
  const level = new Level<Bytes, Bytes>(path, {
    createIfMissing,
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: 16 * 1024 * 1024,
  })
  try {
    await level.open()
    return level
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    const code = (cause as { code?: unknown }).code
    if (code === 'LEVEL_LOCKED') {
      throw new BackfeedError('STORE_LOCKED', `${path} is in use by another process`, {
        exitCode: ExitCode.usage,
        cause,
      })
    }
    throw dataCorrupted(`${path} cannot be opened`, {}, cause)
  }
}

function checkMarker(marker: string, owner: StoreOwner): void {
  let held: unknown
  try {
    held = JSON.parse(readFileSync(marker, 'utf8'))
  } catch (cause) {
    throw dataCorrupted(`${marker} cannot be read`, {}, cause)
  }
  const { format, chainId, rollup } = held as Record<string, unknown>
  if (format !== FORMAT) throw dataCorrupted(`${marker} names format ${String(format)}, this version reads ${FORMAT}`)
  if (chainId !== owner.chainId || rollup !== owner.rollup) {
    throw new BackfeedError(
      'WRONG_STORE',
      `${marker} belongs to rollup ${String(rollup)} on chain ${String(chainId)}`,
      {
        exitCode: ExitCode.usage,
      },
    )
  }
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w')
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
