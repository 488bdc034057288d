import { statfs } from 'node:fs/promises'
import type { Level } from 'level'
import { dataCorrupted } from './dataCorrupted.ts'
import { isBackfeedError } from './errors.ts'
import { isDiskFull } from './levelFolder.ts'
import { storeFailed } from './storeFailed.ts'
import { pause } from './wait.ts'

/** Opening sorts what the log holds into a table, and begins a new log: no more than a write buffer each, and a little beside. */
const ROOM_BEYOND_BUFFERS_BYTES = 1 << 20
const RETRY_MS = 500

type Key = string | Uint8Array

/** What is written together. */
export interface LevelBatch<K extends Key> {
  put(key: K, value: Uint8Array): unknown
  del(key: K): unknown
}

export interface ReopeningLevelSettings<K extends Key> {
  /** Where its files lie: asked for the room that is left. */
  readonly folder: string
  /** Held in memory before it is sorted into a table. */
  readonly writeBufferBytes: number
  readonly open: () => Promise<Level<K, Uint8Array>>
}

/**
 * A LevelDB database that outlives writes which fail. Half a record may stand at the end of its log then, and what is appended behind it is
 * lost at the next start without an error; the library may also refuse every further write. So the first write after one that failed opens the
 * database anew, and reads wait while it is closed. With a full disk it stays open for reading: it could not be opened again.
 */
export class ReopeningLevel<K extends Key> {
  readonly #settings: ReopeningLevelSettings<K>
  #level: Level<K, Uint8Array>
  #isBroken = false
  #isClosed = false
  #reopening: Promise<void> | undefined

  private constructor(settings: ReopeningLevelSettings<K>, level: Level<K, Uint8Array>) {
    this.#settings = settings
    this.#level = level
  }

  /** @throws what `settings.open` throws */
  static async open<K extends Key>(settings: ReopeningLevelSettings<K>): Promise<ReopeningLevel<K>> {
    return new ReopeningLevel(settings, await settings.open())
  }

  /** @throws BackfeedError DATA_CORRUPTED; STORE_FAILED, retryable */
  get(key: K): Promise<Uint8Array | undefined> {
    return this.#reading((level) => level.get(key))
  }

  /** @throws as `get` */
  getMany(keys: K[]): Promise<(Uint8Array | undefined)[]> {
    return this.#reading((level) => level.getMany(keys))
  }

  /**
   * All or nothing. `sync`: on disk when it resolves. @throws BackfeedError STORE_FAILED, retryable: it may be on disk all the same, nobody can
   * tell; whoever goes on writes again what should be there
   */
  async write(fill: (batch: LevelBatch<K>) => void, sync: boolean): Promise<void> {
    if (this.#isBroken || this.#reopening !== undefined) await this.reopen()
    const batch = this.#level.batch()
    fill(batch)
    try {
      await batch.write({ sync })
    } catch (cause) {
      this.#isBroken = true
      throw storeFailed(isDiskFull(cause) ? 'the disk is full' : 'a write failed', cause)
    }
  }

  /** Keys from `from` on, up to `to` exclusive, in order. Goes on where it was when the database is opened anew meanwhile. @throws as `get` */
  async *entries(from: K, to: K, reverse = false): AsyncIterable<[K, Uint8Array]> {
    let last: K | undefined
    let iterator: AsyncIterator<[K, Uint8Array]> | undefined
    let of: Level<K, Uint8Array> | undefined
    const next = async (level: Level<K, Uint8Array>): Promise<IteratorResult<[K, Uint8Array]>> => {
      const lower = last === undefined || reverse ? { gte: from } : { gt: last }
      const upper = last === undefined || !reverse ? { lt: to } : { lt: last }
      if (iterator === undefined || of !== level) {
        of = level
        iterator = level.iterator({ ...lower, ...upper, reverse })[Symbol.asyncIterator]()
      }
      try {
        return await iterator.next()
      } catch (error) {
        iterator = undefined
        throw error
      }
    }
    try {
      for (;;) {
        const { done, value } = await this.#reading(next)
        if (done) return
        last = value[0]
        yield value
      }
    } finally {
      await iterator?.return?.()
    }
  }

  /** Nothing, unless a write has failed since it was opened. @throws BackfeedError STORE_FAILED, retryable, while it cannot be; DATA_CORRUPTED */
  async reopen(): Promise<void> {
    if (this.#reopening === undefined && !this.#isBroken) return
    this.#reopening ??= this.#openAnew().finally(() => {
      this.#reopening = undefined
    })
    await this.#reopening
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#reopening?.catch(() => {})
    await this.#level.close()
  }

  async #openAnew(): Promise<void> {
    const { folder, writeBufferBytes, open } = this.#settings
    if (this.#isClosed) throw storeFailed('the store was closed')
    if (this.#level.status === 'open') {
      const { bavail, bsize } = await statfs(folder)
      const needed = 2 * writeBufferBytes + ROOM_BEYOND_BUFFERS_BYTES
      if (bavail * bsize < needed) throw storeFailed(`the disk is full: opened anew it needs ${needed} bytes`)
    }
    await this.#level.close()
    this.#level = await open()
    this.#isBroken = false
  }

  async #reading<T>(read: (level: Level<K, Uint8Array>) => Promise<T>): Promise<T> {
    for (;;) {
      const level = this.#level
      try {
        return await read(level)
      } catch (cause) {
        const isOurs = this.#reopening === undefined && level === this.#level && level.status === 'open'
        if (isOurs)
          throw isCorruption(cause)
            ? dataCorrupted(`${this.#settings.folder} cannot be read`, {}, cause)
            : storeFailed('a read failed', cause)
        if (this.#isClosed) throw storeFailed('the store was closed', cause)
        await this.#untilOpen()
      }
    }
  }

  async #untilOpen(): Promise<void> {
    try {
      await this.reopen()
    } catch (error) {
      if (!isBackfeedError(error, 'STORE_FAILED')) throw error
      await pause(RETRY_MS)
    }
  }
}

function isCorruption(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'LEVEL_CORRUPTION'
}
