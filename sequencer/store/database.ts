import type { Level } from 'level'
import { openLevelFolder, reopenLevelFolder, type StoreOwner } from '../../runtime/levelFolder.ts'
import { ReopeningLevel } from '../../runtime/reopeningLevel.ts'
import type { Bytes } from './keys.ts'

export type WriteOperation =
  | { readonly type: 'put'; readonly key: Bytes; readonly value: Bytes }
  | { readonly type: 'del'; readonly key: Bytes }

/** What the journal and its neighbours need of a key-value store. All reject with DATA_CORRUPTED or, retryable, STORE_FAILED. */
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
  /** After a write that failed; nothing otherwise. The next write does so too. @throws BackfeedError STORE_FAILED, retryable, while the disk has no room */
  reopen(): Promise<void>
  close(): Promise<void>
}

const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

export async function openDatabase(folder: string, owner: StoreOwner): Promise<Database> {
  const settings = { folder, owner, keys: 'view', writeBufferBytes: WRITE_BUFFER_BYTES } as const
  let open = (): Promise<Level<Bytes, Bytes>> => openLevelFolder(settings)
  const level = await ReopeningLevel.open({ ...settings, open: () => open() })
  open = () => reopenLevelFolder(settings)
  return new LevelDatabase(folder, level)
}

class LevelDatabase implements Database {
  readonly folder: string
  readonly #level: ReopeningLevel<Bytes>

  constructor(folder: string, level: ReopeningLevel<Bytes>) {
    this.folder = folder
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

  entries(from: Bytes, to: Bytes, reverse = false): AsyncIterable<[Bytes, Bytes]> {
    return this.#level.entries(from, to, reverse)
  }

  reopen(): Promise<void> {
    return this.#level.reopen()
  }

  close(): Promise<void> {
    return this.#level.close()
  }

  // A chained batch takes a put straight into LevelDB's own: an array of a micro-batch's operations costs five times as much of
  // this thread, looked through once in JavaScript and once property by property from outside.
  #put(operations: WriteOperation[], sync: boolean): Promise<void> {
    return this.#level.write((batch) => {
      for (const operation of operations) {
        if (operation.type === 'put') batch.put(operation.key, operation.value)
        else batch.del(operation.key)
      }
    }, sync)
  }
}
