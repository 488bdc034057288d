import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20

export type Until = (what: string, condition: () => boolean | Promise<boolean>) => Promise<void>

/** Polls what blocks and other processes bring about. The deadline is for a machine that is busy. */
export function untilWithin(seconds: number): Until {
  return async (what, condition) => {
    const end = Date.now() + seconds * 1_000
    while (!(await condition())) {
      if (Date.now() > end) throw new Error(`${what}: did not come about within ${seconds} s`)
      await sleep(POLL_MS)
    }
  }
}
