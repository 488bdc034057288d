import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RecordSigner } from '../../evse/signer/recordSigner.ts'

const ROUNDS = 5

/** How late the event loop was at the worst during `work`: of some rounds the best, for what others on the machine take does not come in each. */
export async function eventLoopDelayMs(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  // The first sample is taken a tick later.
  await sleep(20)
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    delay.reset()
    await work()
    rounds.push(delay.max)
  }
  delay.disable()
  return Math.round(Math.min(...rounds) / 1e5) / 10
}

/** So many signatures, 20 at a time. */
export async function signInTurn(signers: readonly RecordSigner[], count: number): Promise<void> {
  const line = async (index: number): Promise<void> => {
    for (let i = index; i < count; i += 20) await signers[i % signers.length]!.sign(randomBytes(56))
  }
  await Promise.all(Array.from({ length: 20 }, (_, index) => line(index)))
}
