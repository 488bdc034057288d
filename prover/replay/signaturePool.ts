import { Piscina } from 'piscina'
import { SLAB_ROW_BYTES } from './slabs.ts'

/** Rows a task: enough to hide the cost of handing it over, few enough to share a small batch among the workers. */
const ROWS_PER_TASK = 128
/** A batch of six blobs makes 66 tasks, or 384 in a BLS lane, one a chunk; batches are checked one at a time. */
const MAX_QUEUE = 1_024

export interface SignatureVerifier {
  /** P-256; `slab`: rows of key ‖ message ‖ signature. Answers one byte a row, 1 for a signature that verifies. */
  verify(slab: Uint8Array): Promise<Uint8Array>
  /** BLS; `slab`, which is given away: one chunk's aggregate ‖ rows of key ‖ message, one or more. */
  verifyAggregate(slab: Uint8Array<ArrayBuffer>): Promise<boolean>
}

/** Threads of the prover's own that verify signatures, so that the event loop stays free. */
export class SignaturePool implements SignatureVerifier {
  readonly #pool: Piscina

  constructor(options: { workers: number }) {
    this.#pool = new Piscina({
      filename: new URL('./signatureWorker.ts', import.meta.url).href,
      // All of them always: a thread that ends when it is idle takes its parsed keys along, and parsing costs more than verifying.
      minThreads: options.workers,
      maxThreads: options.workers,
      maxQueue: MAX_QUEUE,
    })
  }

  async verify(slab: Uint8Array): Promise<Uint8Array> {
    const rows = slab.length / SLAB_ROW_BYTES
    const tasks: Promise<Uint8Array>[] = []
    for (let row = 0; row < rows; row += ROWS_PER_TASK) {
      const part = slab.slice(row * SLAB_ROW_BYTES, Math.min(row + ROWS_PER_TASK, rows) * SLAB_ROW_BYTES)
      tasks.push(this.#pool.run(part, { name: 'verifySlab', transferList: [part.buffer] }) as Promise<Uint8Array>)
    }
    return Buffer.concat(await Promise.all(tasks))
  }

  async verifyAggregate(slab: Uint8Array<ArrayBuffer>): Promise<boolean> {
    return (await this.#pool.run(slab, { name: 'verifyAggregateSlab', transferList: [slab.buffer] })) as boolean
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}
