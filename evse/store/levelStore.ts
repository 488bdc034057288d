import { join } from 'node:path'
import type { Level } from 'level'
import { readU64, writeU64 } from '../../protocol/bigEndian.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import { BackfeedError, isBackfeedError } from '../../runtime/errors.ts'
import { HeadFile } from '../../runtime/headFile.ts'
import {
  isDiskFull,
  type LevelFolderSettings,
  openLevelFolder,
  reopenLevelFolder,
  type StoreOwner,
} from '../../runtime/levelFolder.ts'
import { storeFailed } from '../../runtime/storeFailed.ts'
import { MAX_GROUP_BYTES, MAX_PENDING_WRITE_BYTES, MAX_VALUE_BYTES, STORE_WRITE_BUFFER_BYTES } from '../limits.ts'
import type { EdgeStore, EntryRange, StoreOp } from './edgeStore.ts'
import { checkKey } from './keys.ts'
import { openValue, sealValue } from '../../runtime/sealedValue.ts'

/** How many groups were written: in the database with each group, and in a file beside it. Sorts before every key of a folder. */
const COUNT_KEY = '!count'
const NO_HASH = new Uint8Array(32)

/** One caller's write. */
interface Waiting {
  readonly ops: readonly StoreOp[]
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * @throws BackfeedError DATA_CORRUPTED: files are missing or damaged; STORE_LOCKED: another process has it; WRONG_STORE: of another deployment;
 * STORE_FAILED: the disk is full
 */
export async function openEdgeStore(folder: string, owner: StoreOwner): Promise<EdgeStore> {
  const settings = { folder, owner, keys: 'utf8', writeBufferBytes: STORE_WRITE_BUFFER_BYTES } as const
  const level = await openLevelFolder<string>(settings)
  let file: HeadFile | undefined
  try {
    file = new HeadFile(join(folder, 'head'))
    const count = await readCount(level)
    const reached = file.read()?.sequence ?? 0
    // A damaged log loses the newest writes without an error: nothing inside the database would show it.
    if (count < reached) throw dataCorrupted(`${folder} lost writes: it holds ${count} of at least ${reached}`)
    // Both places, so that later writes need no room on the disk.
    for (let place = 0; place < 2; place++) file.write({ sequence: count, hash: NO_HASH })
    return new LevelStore(settings, level, file, count)
  } catch (error) {
    file?.close()
    await level.close()
    throw error
  }
}

class LevelStore implements EdgeStore {
  readonly #settings: LevelFolderSettings
  readonly #file: HeadFile
  #level: Level<string, Uint8Array>
  #count: number
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  #writing: Promise<void> | undefined
  /** The library takes no more writes until it is opened anew. */
  #isBroken = false
  #isClosed = false

  constructor(settings: LevelFolderSettings, level: Level<string, Uint8Array>, file: HeadFile, count: number) {
    this.#settings = settings
    this.#level = level
    this.#file = file
    this.#count = count
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    checkKey(key)
    const sealed = await this.#reading(() => this.#level.get(key))
    return sealed === undefined ? undefined : unseal(key, sealed)
  }

  async *entries(prefix: string, range: EntryRange = {}): AsyncIterable<readonly [string, Uint8Array]> {
    checkKey(prefix)
    const { after, limit = -1, reverse = false } = range
    const [low, high] = reverse ? [undefined, after] : [after, undefined]
    const bounds = {
      ...(low === undefined ? { gte: prefix } : { gt: low }),
      // Above every printable character.
      lt: high ?? `${prefix}\x7f`,
    }
    const iterator = this.#level.iterator({ ...bounds, reverse, limit })
    try {
      for (;;) {
        const entry = await this.#reading(() => iterator.next())
        if (entry === undefined) return
        yield [entry[0], unseal(entry[0], entry[1])]
      }
    } finally {
      await iterator.close()
    }
  }

  write(ops: readonly StoreOp[]): Promise<void> {
    const bytes = ops.reduce((sum, op) => sum + checkOp(op), 0)
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(storeFailed('the store was closed'))
      if (this.#waitingBytes + bytes > MAX_PENDING_WRITE_BYTES) {
        return reject(storeFailed(`${this.#waitingBytes} bytes wait to be written: the disk does not keep up`))
      }
      this.#waiting.push({ ops, bytes, resolve, reject })
      this.#waitingBytes += bytes
      this.#writing ??= this.#writeAll()
    })
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#writing
    this.#file.close()
    await this.#level.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #writeAll(): Promise<void> {
    // What is asked for in the same turn of the event loop belongs to the same group.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup()
      try {
        if (this.#isBroken) await this.#reopen()
        await this.#writeGroup(group)
        for (const { resolve } of group) resolve()
      } catch (error) {
        // Those behind were asked for in the belief that this one would be there.
        for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(error)
        this.#waitingBytes = 0
      }
    }
    this.#writing = undefined
  }

  #takeGroup(): Waiting[] {
    let [count, bytes] = [0, 0]
    for (const next of this.#waiting) {
      if (count > 0 && bytes + next.bytes > MAX_GROUP_BYTES) break
      count++
      bytes += next.bytes
    }
    this.#waitingBytes -= bytes
    return this.#waiting.splice(0, count)
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const count = this.#count + 1
    const batch = this.#level.batch()
    for (const { ops } of group) {
      for (const { key, value } of ops) {
        if (value === undefined) batch.del(key)
        else batch.put(key, sealValue(key, value))
      }
    }
    const counted = new Uint8Array(8)
    writeU64(counted, 0, count)
    batch.put(COUNT_KEY, sealValue(COUNT_KEY, counted))
    try {
      await batch.write({ sync: true })
      this.#count = count
    } catch (cause) {
      this.#isBroken = true
      await this.#askWhetherWritten(count, cause)
    }
    try {
      this.#file.write({ sequence: this.#count, hash: NO_HASH })
    } catch {
      // It may lag behind.
    }
  }

  /** The log may hold a write that failed at its sync: only a fresh look tells. */
  async #askWhetherWritten(count: number, cause: unknown): Promise<void> {
    try {
      await this.#reopen()
    } catch (error) {
      throw isBackfeedError(error, 'DATA_CORRUPTED') ? error : failedWrite(cause)
    }
    if (this.#count !== count) throw failedWrite(cause)
  }

  async #reopen(): Promise<void> {
    try {
      await this.#level.close()
      this.#level = await reopenLevelFolder(this.#settings)
      const count = await readCount(this.#level)
      if (count < this.#count) {
        throw dataCorrupted(`${this.#settings.folder} lost writes: it holds ${count} of ${this.#count}`)
      }
      this.#count = count
      this.#isBroken = false
    } catch (error) {
      throw error instanceof BackfeedError ? error : storeFailed('the store cannot be opened again', error)
    }
  }

  async #reading<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (cause) {
      throw storeFailed('the store cannot be read', cause)
    }
  }
}

async function readCount(level: Level<string, Uint8Array>): Promise<number> {
  const sealed = await level.get(COUNT_KEY)
  return sealed === undefined ? 0 : readU64(unseal(COUNT_KEY, sealed), 0)
}

function unseal(key: string, sealed: Uint8Array): Uint8Array {
  const value = openValue(key, sealed)
  if (value === undefined) throw dataCorrupted(`the value of ${key}`)
  return value
}

/** Bytes it takes. @throws RangeError */
function checkOp({ key, value }: StoreOp): number {
  checkKey(key)
  const bytes = value?.length ?? 0
  if (bytes > MAX_VALUE_BYTES) throw new RangeError(`a value of ${bytes} bytes for ${key}`)
  return key.length + bytes
}

function failedWrite(cause: unknown): BackfeedError {
  return storeFailed(isDiskFull(cause) ? 'the disk is full: nothing was written' : 'a write failed', cause)
}
