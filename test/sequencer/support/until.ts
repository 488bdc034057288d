import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** Polls until the condition holds; fails after 8 s, so that a broken server shows as a failure and not as a hang. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 8_000
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'waited too long')
    await sleep(2)
  }
}
