/** By the clock of `process.hrtime`, which profiles go by too. */
export interface Window {
  readonly fromMicros: number
  readonly toMicros: number
}

export interface Spent extends Window {
  readonly wallSeconds: number
  /** Of the whole process, all its threads. */
  readonly cpuSeconds: number
  /** Of the thread that asks. */
  readonly threadSeconds: number
}

/** What `act` takes of this process. */
export async function measure(act: () => Promise<unknown>): Promise<Spent> {
  const process0 = process.cpuUsage()
  const thread0 = process.threadCpuUsage()
  const fromMicros = nowMicros()
  await act()
  const toMicros = nowMicros()
  const thread = process.threadCpuUsage(thread0)
  const all = process.cpuUsage(process0)
  return {
    fromMicros,
    toMicros,
    wallSeconds: (toMicros - fromMicros) / 1e6,
    cpuSeconds: (all.user + all.system) / 1e6,
    threadSeconds: (thread.user + thread.system) / 1e6,
  }
}

const nowMicros = (): number => Number(process.hrtime.bigint()) / 1e3
