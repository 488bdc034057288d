import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HelperProcess } from './helperProcess.ts'
import { splitRows } from './recordMaker.ts'
import type { WriterLimit, WriterLoadCalls } from './writerLoadProcess.ts'

/** Makes records for a writer, and does what its limit does with them, in a process of its own (writerLoadProcess.ts): neither is the writer's memory. */
export class WriterLoad implements AsyncDisposable {
  readonly #process = new HelperProcess<WriterLoadCalls>(new URL('./writerLoadProcess.ts', import.meta.url))
  readonly #folder: string
  readonly #file: string

  private constructor(folder: string) {
    this.#folder = folder
    this.#file = join(folder, 'load.rows')
  }

  /** `folder`: the lane's, for the records and for the limit's journal. */
  static async open({ evses, folder }: { evses: number; folder: string }): Promise<WriterLoad> {
    const load = new WriterLoad(folder)
    await load.#process.ask('play', evses)
    return load
  }

  /** The next records, of EVSEs all over the tree. */
  make(count: number): Promise<void> {
    return this.#process.ask('make', count, this.#file)
  }

  /** What hashing and a journal of the records made last take, with nothing else to it. */
  limit(rowsAWrite: number): Promise<WriterLimit> {
    return this.#process.ask('limit', rowsAWrite, this.#folder)
  }

  /** The records made last. */
  requests(recordsEach: number): Uint8Array[] {
    return splitRows(readFileSync(this.#file), recordsEach)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]()
  }
}
