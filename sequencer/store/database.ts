import type { Level } from 'level'
import {
  type LevelFolderSettings,
  openLevelFolder,
  reopenLevelFolder,
  type StoreOwner,
} from '../../runtime/levelFolder.ts'
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

const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

export async function openDatabase(folder: string, owner: StoreOwner): Promise<Database> {
  const settings = { folder, owner, keys: 'view', writeBufferBytes: WRITE_BUFFER_BYTES } as const
  return new LevelDatabase(settings, await openLevelFolder(settings))
}

class LevelDatabase implements Database {
  readonly folder: string
  readonly #settings: LevelFolderSettings
  #level: Level<Bytes, Bytes>

  constructor(settings: LevelFolderSettings, level: Level<Bytes, Bytes>) {
    this.folder = settings.folder
    this.#settings = settings
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
    this.#level = await reopenLevelFolder(this.#settings)
  }

  async close(): Promise<void> {
    await this.#level.close()
  }
}
