import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { readI32, readU32 } from '../protocol/bigEndian.ts'
import { RECORD_BYTES } from '../protocol/limits.ts'
import { SIGNED_RECORD_BYTES } from '../protocol/record.ts'
import { measure, type Spent } from './measure.ts'
import { signatureOf } from './recordMaker.ts'
import type { Workload } from './workload.ts'

export interface BareSetup {
  readonly domain: Uint8Array
  readonly items: readonly {
    readonly key: Uint8Array
    readonly record: Uint8Array
    readonly lat: number
    readonly lon: number
    readonly signature: Uint8Array
  }[]
}

/** `crypto.verify` and nothing else, in so many threads, over the workload's own records. */
export class BareVerify implements AsyncDisposable {
  readonly #workers: readonly Worker[]

  /** `rows`: what the loops go over; the pipeline's number of keys should occur in it. */
  constructor(workload: Workload, rows: Uint8Array, threads = availableParallelism()) {
    const count = rows.length / SIGNED_RECORD_BYTES
    const items = Array.from({ length: count }, (_, row) => {
      const at = row * SIGNED_RECORD_BYTES
      const evse = readU32(rows, at)
      const position = workload.rules.evsePosition(evse)
      return {
        key: workload.rules.evseKey(evse),
        record: rows.slice(at, at + RECORD_BYTES),
        lat: readI32(position, 0),
        lon: readI32(position, 4),
        signature: signatureOf(rows, row),
      }
    })
    const workerData: BareSetup = { domain: workload.domain, items }
    const file = new URL('./bareVerifyWorker.ts', import.meta.url)
    this.#workers = Array.from({ length: threads }, () => new Worker(file, { workerData }))
  }

  /** `count` verifications in all. */
  async run(count: number): Promise<Spent> {
    const each = Math.ceil(count / this.#workers.length)
    return await measure(() =>
      Promise.all(
        this.#workers.map(async (worker) => {
          worker.postMessage(each)
          await once(worker, 'message')
        }),
      ),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}
