/** What a shell calls a process that Ctrl-C ended. */
const INTERRUPTED = 130
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs `work` until it ends or Ctrl-C aborts it, so that it can clean up; a second Ctrl-C ends the process at once. */
export async function withInterrupt(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interrupt = new AbortController()
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(INTERRUPTED)
    interrupt.abort()
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  try {
    await work(interrupt.signal)
  } catch (error) {
    if (!interrupt.signal.aborted) throw error
    process.stderr.write('interrupted: everything was stopped and removed\n')
    process.exitCode = INTERRUPTED
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal)
  }
}
