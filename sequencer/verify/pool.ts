import { Piscina } from 'piscina'
import { readU32 } from '../../protocol/bigEndian.ts'
import { EVSE_POSITION_AT } from '../../protocol/descriptor.ts'
import { INTERVAL_SECONDS, P256_EVSE_DESCRIPTOR_BYTES } from '../../protocol/limits.ts'
import { isEmptyRecord, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import type { VerifyMetrics } from './metrics.ts'
import { allocateSlabs, ROW_BYTES, ROW_KEY, ROW_PLACE, type Slabs, type VerifyTask, type WorkerSetup } from './slab.ts'
import { Verdict, type Verifier, type VerifyJob } from './verifier.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'

const KEY_BYTES = P256_LAYOUT.keyBytes

export interface PoolSettings {
  readonly workers: number
  /** Rows of one task. */
  readonly rowsPerSlab: number
  /** Bounds what is accepted and not yet verified. */
  readonly slabs: number
  /** A slab that does not fill is handed over after this. */
  readonly gatherMs: number
  readonly maxKeysPerWorker: number
  /** Each lane's signing domain. */
  readonly domains: ReadonlyMap<number, Uint8Array>
  readonly metrics?: VerifyMetrics | undefined
}

interface Pending {
  readonly job: VerifyJob
  /** Rows not verified yet, and one while rows are still being laid out. */
  left: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A slab that is being filled with rows of one lane. */
interface Filling {
  readonly slab: number
  readonly domain: number
  count: number
}

/** P-256 by OpenSSL in worker threads, over slabs of shared memory. */
export class VerifyPool implements Verifier {
  readonly #settings: PoolSettings
  readonly #slabs: Slabs
  readonly #pool: Piscina<VerifyTask, void>
  readonly #free: number[]
  readonly #domainOf = new Map<number, number>()
  readonly #filling = new Map<number, Filling>()
  readonly #owners: (Pending | undefined)[]
  readonly #ownerRow: Uint32Array
  #timer: NodeJS.Timeout | undefined

  constructor(settings: PoolSettings) {
    this.#settings = settings
    const { slabs, rowsPerSlab, workers } = settings
    this.#slabs = allocateSlabs({ slabs, rowsPerSlab })
    this.#free = Array.from({ length: slabs }, (_, i) => slabs - 1 - i)
    this.#owners = new Array(slabs * rowsPerSlab).fill(undefined)
    this.#ownerRow = new Uint32Array(slabs * rowsPerSlab)
    for (const lane of settings.domains.keys()) this.#domainOf.set(lane, this.#domainOf.size)
    this.#pool = new Piscina<VerifyTask, void>({
      filename: new URL('./worker.ts', import.meta.url).href,
      minThreads: workers,
      maxThreads: workers,
      // The next task lies ready when one ends.
      concurrentTasksPerWorker: 3,
      maxQueue: slabs,
      workerData: {
        memory: this.#slabs.memory,
        shape: this.#slabs.shape,
        domains: [...settings.domains.values()],
        maxKeys: settings.maxKeysPerWorker,
      } satisfies WorkerSetup,
    })
  }

  get freeRows(): number {
    return this.#free.length * this.#settings.rowsPerSlab
  }

  /** The caller has seen to it that `freeRows` suffices. */
  verify(job: VerifyJob): Promise<void> {
    const domain = this.#domainOf.get(job.lane)
    if (domain === undefined) throw new Error(`no signing domain for lane ${job.lane}`)
    return new Promise((resolve, reject) => {
      const pending: Pending = { job, left: 1, resolve, reject }
      for (let row = 0; row < job.count; row++) {
        const verdict = admit(job, row * SIGNED_RECORD_BYTES)
        if (verdict === Verdict.GOOD) this.#lay(pending, row, domain)
        else job.verdicts[row] = verdict
      }
      this.#done(pending)
    })
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const filling of this.#filling.values()) this.#dispatch(filling)
    this.#filling.clear()
    await this.#pool.close()
    await this.#pool.destroy()
  }

  #lay(pending: Pending, row: number, domain: number): void {
    const filling = this.#filling.get(domain) ?? this.#begin(domain)
    const place = filling.slab * this.#settings.rowsPerSlab + filling.count++
    const { job } = pending
    const { rows } = this.#slabs
    const { descriptors } = job.rules.evses
    const from = row * SIGNED_RECORD_BYTES
    const at = place * ROW_BYTES
    const descriptorAt = readU32(job.rows, from) * P256_EVSE_DESCRIPTOR_BYTES
    const positionAt = descriptorAt + KEY_BYTES + EVSE_POSITION_AT
    // Byte by byte: a view made for `set` costs more than so few bytes take, and is garbage a record.
    const { rows: source } = job
    for (let i = 0; i < SIGNED_RECORD_BYTES; i++) rows[at + i] = source[from + i]!
    for (let i = 0; i < KEY_BYTES; i++) rows[at + ROW_KEY + i] = descriptors[descriptorAt + i]!
    for (let i = 0; i < 8; i++) rows[at + ROW_PLACE + i] = descriptors[positionAt + i]!
    this.#owners[place] = pending
    this.#ownerRow[place] = row
    pending.left++
    if (filling.count === this.#settings.rowsPerSlab) {
      this.#filling.delete(domain)
      this.#dispatch(filling)
    }
  }

  #begin(domain: number): Filling {
    const slab = this.#free.pop()
    if (slab === undefined) throw new Error('no free slab: freeRows was not looked at')
    const filling = { slab, domain, count: 0 }
    this.#filling.set(domain, filling)
    this.#timer ??= setTimeout(() => this.#dispatchAll(), this.#settings.gatherMs)
    return filling
  }

  #dispatchAll(): void {
    this.#timer = undefined
    const all = [...this.#filling.values()]
    this.#filling.clear()
    for (const filling of all) this.#dispatch(filling)
  }

  #dispatch({ slab, count, domain }: Filling): void {
    const startedAt = performance.now()
    this.#pool.run({ slab, count, domain }).then(
      () => this.#settle(slab, count, startedAt),
      (error: unknown) => this.#settle(slab, count, startedAt, error),
    )
  }

  #settle(slab: number, count: number, startedAt: number, error?: unknown): void {
    const first = slab * this.#settings.rowsPerSlab
    const { verdicts } = this.#slabs
    let bad = 0
    for (let place = first; place < first + count; place++) {
      const pending = this.#owners[place]!
      this.#owners[place] = undefined
      if (error === undefined) {
        const verdict = verdicts[place]!
        if (verdict === Verdict.BAD) bad++
        pending.job.verdicts[this.#ownerRow[place]!] = verdict
        this.#done(pending)
      } else pending.reject(error)
    }
    this.#free.push(slab)
    this.#settings.metrics?.verified(count, bad, (performance.now() - startedAt) / 1000)
  }

  #done(pending: Pending): void {
    if (--pending.left === 0) pending.resolve()
  }
}

/** GOOD: worth a verification. */
function admit(job: VerifyJob, at: number): number {
  const { rows, rules, asOf } = job
  if (isEmptyRecord(rows, at)) return Verdict.EMPTY
  const start = readU32(rows, at + 8)
  const end = start + rows[at + 12]!
  const active = rules.evses.isActive(readU32(rows, at), asOf, start * INTERVAL_SECONDS, end * INTERVAL_SECONDS)
  return active ? Verdict.GOOD : Verdict.UNKNOWN_EVSE
}
