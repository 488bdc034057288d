import { setTimeout as sleep } from 'node:timers/promises'

export type Condition = () => boolean | Promise<boolean>
export type Until = (what: string, condition: Condition) => Promise<void>

/** Polls what this process brings about, for a minute at most, so that what is broken shows as a failure and not as a hang. */
export function until(condition: Condition): Promise<void> {
  return poll('what is waited for', condition, { seconds: 60, everyMs: 2 })
}

/** Polls what blocks and other processes bring about. The deadline is for a machine that is busy. */
export function untilWithin(seconds: number): Until {
  return (what, condition) => poll(what, condition, { seconds, everyMs: 20 })
}

async function poll(what: string, condition: Condition, of: { seconds: number; everyMs: number }): Promise<void> {
  const end = Date.now() + of.seconds * 1_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what}: did not come about within ${of.seconds} s`)
    await sleep(of.everyMs)
  }
}
