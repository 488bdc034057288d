import { Piscina } from 'piscina'
import { readU32 } from '../../protocol/bigEndian.ts'
import { EVSE_POSITION_AT } from '../../protocol/descriptor.ts'
import { INTERVAL_SECONDS, RECORD_BYTES } from '../../protocol/limits.ts'
import { isEmptyRecord } from '../../protocol/record.ts'
import { Scheme, type SchemeLayout } from '../../protocol/scheme.ts'
import { COMPRESSED_FLAG } from '../compressedSignature.ts'
import type { VerifyMetrics } from './metrics.ts'
import {
  allocateSlabs,
  PLACE_BYTES,
  ROW_SIGNATURE,
  rowShape,
  type Slabs,
  type VerifyTask,
  type WorkerSetup,
} from './slab.ts'
import { Verdict, type Verifier, type VerifyJob } from './verifier.ts'

export interface PoolSettings {
  /** Of the lanes' signatures; it names the engine: OpenSSL for P-256, blst for BLS12-381. */
  readonly layout: SchemeLayout
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

interface Engine {
  readonly worker: URL
  /** While so many tasks of a worker are under way, a slab goes on filling past its time. */
  readonly gatherWhile: number
}

/** One at work; the next lies ready when it ends. */
const TASKS_PER_WORKER = 3

const ENGINES: Readonly<Record<Scheme, Engine>> = {
  // More would lie waiting, each holding a slab of which it fills little: under load of small requests there were soon none left.
  [Scheme.P256]: { worker: new URL('./p256Worker.ts', import.meta.url), gatherWhile: TASKS_PER_WORKER },
  // Alone a signature costs twice what it does among many: what comes while the worker is busy is its next task.
  [Scheme.BLS]: { worker: new URL('./blsWorker.ts', import.meta.url), gatherWhile: 1 },
}

/** Signatures of one scheme in worker threads, over slabs of shared memory. */
export class VerifyPool implements Verifier {
  readonly #settings: PoolSettings
  readonly #slabs: Slabs
  readonly #pool: Piscina<VerifyTask, void>
  readonly #free: number[]
  readonly #domainOf = new Map<number, number>()
  readonly #filling = new Map<number, Filling>()
  readonly #owners: (Pending | undefined)[]
  readonly #ownerRow: Uint32Array
  readonly #gatherWhile: number
  /** Rows that lie side by side in their job and in a slab, laid out and not copied yet: one copy for all of them. */
  #run: { readonly job: VerifyJob; readonly row: number; readonly place: number; count: number } | undefined
  #underWay = 0
  #isDue = false
  #timer: NodeJS.Timeout | undefined

  constructor(settings: PoolSettings) {
    this.#settings = settings
    const { layout, slabs, rowsPerSlab, workers } = settings
    const engine = ENGINES[layout.scheme]
    this.#gatherWhile = engine.gatherWhile * workers
    this.#slabs = allocateSlabs({ slabs, rowsPerSlab, row: rowShape(layout) })
    this.#free = Array.from({ length: slabs }, (_, i) => slabs - 1 - i)
    this.#owners = new Array(slabs * rowsPerSlab).fill(undefined)
    this.#ownerRow = new Uint32Array(slabs * rowsPerSlab)
    for (const lane of settings.domains.keys()) this.#domainOf.set(lane, this.#domainOf.size)
    this.#pool = new Piscina<VerifyTask, void>({
      filename: engine.worker.href,
      minThreads: workers,
      maxThreads: workers,
      concurrentTasksPerWorker: TASKS_PER_WORKER,
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

  /** So many fit in at once however few of them fill a slab: those handed over before they are full, and one being filled a lane. */
  get maxRows(): number {
    const { slabs, rowsPerSlab, domains } = this.#settings
    return Math.max(Math.ceil(slabs / 2), slabs - this.#gatherWhile - domains.size) * rowsPerSlab
  }

  /** The caller has seen to it that `freeRows` suffices. */
  verify(job: VerifyJob): Promise<void> {
    const domain = this.#domainOf.get(job.lane)
    if (domain === undefined) throw new Error(`no signing domain for lane ${job.lane}`)
    const { rowBytes } = this.#settings.layout
    return new Promise((resolve, reject) => {
      const pending: Pending = { job, left: 1, resolve, reject }
      for (let row = 0; row < job.count; row++) {
        const verdict = admit(job, row * rowBytes)
        if (verdict === Verdict.GOOD) this.#lay(pending, row, domain)
        else job.verdicts[row] = verdict
      }
      this.#copyRun()
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
    const { rowBytes, keyBytes, evseDescriptorBytes } = this.#settings.layout
    const { evses, shape } = this.#slabs
    const { descriptors } = job.rules.evses
    const keyAt = place * shape.row.evseBytes
    const placeAt = keyAt + keyBytes
    const descriptorAt = readU32(job.rows, row * rowBytes) * evseDescriptorBytes
    const positionAt = descriptorAt + keyBytes + EVSE_POSITION_AT
    // Byte by byte: a view made for `set` costs more than so few bytes take, and is garbage a record.
    for (let i = 0; i < keyBytes; i++) evses[keyAt + i] = descriptors[descriptorAt + i]!
    for (let i = 0; i < PLACE_BYTES; i++) evses[placeAt + i] = descriptors[positionAt + i]!
    const run = this.#run
    if (run?.job === job && run.row + run.count === row && run.place + run.count === place) run.count++
    else {
      this.#copyRun()
      this.#run = { job, row, place, count: 1 }
    }
    this.#owners[place] = pending
    this.#ownerRow[place] = row
    pending.left++
    if (filling.count === this.#settings.rowsPerSlab) {
      this.#filling.delete(domain)
      this.#dispatch(filling)
    }
  }

  #copyRun(): void {
    if (this.#run === undefined) return
    const { job, row, place, count } = this.#run
    const { rowBytes } = this.#settings.layout
    this.#slabs.rows.set(job.rows.subarray(row * rowBytes, (row + count) * rowBytes), place * rowBytes)
    this.#run = undefined
  }

  #begin(domain: number): Filling {
    const slab = this.#free.pop()
    if (slab === undefined) throw new Error('no free slab: freeRows was not looked at')
    const filling = { slab, domain, count: 0 }
    this.#filling.set(domain, filling)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#isDue = true
      this.#dispatchDue()
    }, this.#settings.gatherMs)
    return filling
  }

  /** The longest filled first: the map keeps the order in which they were begun. */
  #dispatchDue(): void {
    for (const [domain, filling] of this.#filling) {
      if (!this.#isDue || this.#underWay >= this.#gatherWhile) return
      this.#filling.delete(domain)
      this.#dispatch(filling)
    }
    this.#isDue = false
  }

  #dispatch({ slab, count, domain }: Filling): void {
    this.#copyRun()
    const startedAt = performance.now()
    this.#underWay++
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
        const row = this.#ownerRow[place]!
        pending.job.verdicts[row] = verdict
        if (verdict === Verdict.GOOD) this.#takeUncompressed(pending.job, row, place)
        this.#done(pending)
      } else pending.reject(error)
    }
    this.#free.push(slab)
    this.#underWay--
    this.#settings.metrics?.verified(count, bad, (performance.now() - startedAt) / 1000)
    this.#dispatchDue()
  }

  /** What is settled, kept and promised has one form alone. */
  #takeUncompressed(job: VerifyJob, row: number, place: number): void {
    const { layout } = this.#settings
    const to = row * layout.rowBytes + ROW_SIGNATURE
    if (layout.scheme !== Scheme.BLS || (job.rows[to]! & COMPRESSED_FLAG) === 0) return
    const { rows, shape } = this.#slabs
    const from = place * shape.row.bytes + RECORD_BYTES
    job.rows.set(rows.subarray(from, from + layout.signatureBytes), to)
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
