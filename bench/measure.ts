export interface Spent {
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
  const wall0 = performance.now()
  await act()
  const wallSeconds = (performance.now() - wall0) / 1e3
  const thread = process.threadCpuUsage(thread0)
  const all = process.cpuUsage(process0)
  return {
    wallSeconds,
    cpuSeconds: (all.user + all.system) / 1e6,
    threadSeconds: (thread.user + thread.system) / 1e6,
  }
}
