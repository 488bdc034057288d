import { describeError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Bytes } from './keys.ts'
import { readSnapshotFile, writeSnapshotFile } from './snapshotFile.ts'

export interface SnapshotKeeperSettings {
  readonly path: string
  /** Rows between two snapshots; 0: none are written. */
  readonly everyRows: number
  readonly log: Logger
}

/** Below this share of `everyRows` a replay is as quick as reading a snapshot. */
const WORTH_AT_STOP = 20

/** Writes snapshots of one thing, one at a time, beside everything else. A snapshot that cannot be written is a warning: nothing depends on it. */
export class SnapshotKeeper {
  readonly #settings: SnapshotKeeperSettings
  #rows = 0
  #writing: Promise<void> | undefined

  constructor(settings: SnapshotKeeperSettings) {
    this.#settings = settings
  }

  /** The parts of what was written last, or undefined. */
  async load(): Promise<Bytes[] | undefined> {
    return this.#settings.everyRows === 0 ? undefined : await readSnapshotFile(this.#settings.path)
  }

  /** So many rows more are behind what would be written now. */
  wrote(rows: number, take: () => Iterable<Bytes> | AsyncIterable<Bytes>): void {
    this.#rows += rows
    if (this.#isDue(1) && this.#writing === undefined) this.#write(take())
  }

  /** Waits for what is being written, and writes another if that spares the next start much. */
  async close(take: () => Iterable<Bytes> | AsyncIterable<Bytes>): Promise<void> {
    await this.#writing
    if (!this.#isDue(WORTH_AT_STOP)) return
    this.#write(take())
    await this.#writing
  }

  #isDue(share: number): boolean {
    const { everyRows } = this.#settings
    return everyRows > 0 && this.#rows * share >= everyRows
  }

  #write(parts: Iterable<Bytes> | AsyncIterable<Bytes>): void {
    const { path, log } = this.#settings
    this.#rows = 0
    const startedAt = performance.now()
    this.#writing = writeSnapshotFile(path, parts)
      .then(() => log.info({ path, ms: Math.round(performance.now() - startedAt) }, 'snapshot written'))
      .catch((error: unknown) => {
        log.warn({ err: error, path }, `no snapshot: ${describeError(error)}`)
      })
      .finally(() => {
        this.#writing = undefined
      })
  }
}
