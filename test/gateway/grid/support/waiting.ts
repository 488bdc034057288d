import assert from 'node:assert/strict'
import type { GridSource } from '../../../../gateway/grid/model/gridSource.ts'

/** Resolves at the first picture, or change of state, for which `condition` holds. The deadline is for a machine that is busy. */
export async function until(what: string, condition: () => boolean, deadlineMs = 120_000): Promise<void> {
  const deadline = Date.now() + deadlineMs
  while (!condition()) {
    assert.ok(Date.now() < deadline, `not within ${deadlineMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Asks the source again, and resolves once an ask that began after this call is through: the first to end may have begun before. */
export async function askAgain(source: GridSource): Promise<void> {
  for (let ask = 0; ask < 2; ask++) {
    await new Promise<void>((resolve) => {
      const unlisten = source.onChange(() => {
        unlisten()
        resolve()
      })
      source.poke()
    })
  }
}
