import type { Database, WriteOperation } from '../../sequencer/store/database.ts'

/** What becomes of one call of the store. */
export const STORE_FAULTS = [
  /** The process ends before it … */
  'crashBefore',
  /** … or after it, with nobody told. */
  'crashAfter',
  /** It fails, and did nothing … */
  'failsBefore',
  /** … or reports a failure though it reached the disk. */
  'failsAfter',
  /** The same, and the process ends as soon as it has written something else instead. */
  'failsThenCrash',
  /** It takes long. */
  'hangs',
] as const
export type StoreFault = (typeof STORE_FAULTS)[number]

const HANG_MS = 30

export interface FaultyDatabase {
  readonly database: Database
  /** Calls so far. */
  readonly calls: number
  /** Resolves when the process counts as dead: no call is answered from then on. */
  readonly dead: Promise<void>
}

/** A store whose n-th call, counted from 1, goes wrong. A dead one never answers again, as far as its process can tell. */
export function faultyDatabase(real: Database, at: number, fault: StoreFault): FaultyDatabase {
  let calls = 0
  let isDead = false
  let hasFailed = false
  let die = (): void => {}
  const dead = new Promise<void>((resolve) => {
    die = () => {
      isDead = true
      resolve()
    }
  })
  const never = <T>(): Promise<T> => new Promise<T>(() => {})
  const through = async <T>(isWrite: boolean, run: () => Promise<T>): Promise<T> => {
    if (isDead) return await never()
    calls++
    if (calls !== at) return await answered(run)
    switch (fault) {
      case 'crashBefore':
        die()
        return await never()
      case 'crashAfter':
        await run()
        die()
        return await never()
      case 'failsBefore':
        // Reads that fail stop the lane by design; writes must be survived.
        if (isWrite) throw new Error('no space left on device')
        return await answered(run)
      case 'failsAfter': {
        const result = await run()
        if (isWrite) throw new Error('input/output error')
        return result
      }
      case 'failsThenCrash': {
        const result = await run()
        if (!isWrite) return result
        hasFailed = true
        throw new Error('input/output error')
      }
      case 'hangs':
        await new Promise((resolve) => setTimeout(resolve, HANG_MS))
        return await answered(run)
      default:
        throw new Error(`unknown fault ${fault satisfies never}`)
    }
  }
  const answered = async <T>(run: () => Promise<T>): Promise<T> => {
    const result = await run()
    return isDead ? await never() : result
  }
  const database: Database = {
    folder: real.folder,
    get: (key) => through(false, () => real.get(key)),
    getMany: (keys) => through(false, () => real.getMany(keys)),
    write: (operations: WriteOperation[]) =>
      through(true, async () => {
        await real.write(operations)
        // Taking back what failed puts one key, the head; an append puts entries too.
        if (hasFailed && operations.filter(({ type }) => type === 'put').length > 1) die()
      }),
    note: (operations: WriteOperation[]) => through(true, () => real.note(operations)),
    entries: (from, to, reverse) => real.entries(from, to, reverse),
    reopen: () => through(false, () => real.reopen()),
    close: () => real.close(),
  }
  return {
    database,
    dead,
    get calls() {
      return calls
    },
  }
}
