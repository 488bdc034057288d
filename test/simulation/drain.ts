import { setTimeout as sleep } from 'node:timers/promises'
import { ForcedView } from '../../l1/forced/forcedView.ts'
import type { Chargers } from './chargers.ts'
import { FINAL_DEPTH, type World } from './world.ts'

/** When faults have stopped everything comes to rest within this, also where two cores do much other work: each blob costs a second of them. */
const DRAIN_MS = Number(process.env.SIMULATION_DRAIN_MS ?? 300_000)

interface LaneSaid {
  readonly accepting: boolean
  readonly closedIndex: number
  readonly postedIndex: number
  readonly openBatch: { readonly records: number }
  readonly forced: { readonly queued: number; readonly taken: number }
}

interface ProverSaid {
  readonly lanes: readonly {
    readonly checkedIndex: string
    readonly liveIndex: string
    readonly falseBatch?: unknown
  }[]
  readonly frauds: { readonly proven: number }
  readonly problems: readonly unknown[]
}

/** Waits until chargers have their answers, L1 has every batch, and the prover has found every one right. */
export async function drain(world: World, chargers: Chargers): Promise<void> {
  const { lane, sequencer, prover } = world
  const deadline = Date.now() + DRAIN_MS
  chargers.networkTrouble = 0
  await world.anvil().mine(FINAL_DEPTH + 2)
  const queue = new ForcedView({ client: lane.client, contracts: lane.contracts, lane: lane.lane })
  await queue.catchUp(await lane.client.getBlock())
  const queued = Number(queue.length)
  let last: unknown
  const until = async (what: string, done: () => Promise<boolean>): Promise<void> => {
    for (;;) {
      for (const fault of [chargers.fault, sequencer.fault, prover.fault]) if (fault !== undefined) throw fault
      try {
        if (await done()) return
      } catch (error) {
        last = String(error)
      }
      if (Date.now() > deadline)
        throw new Error(
          `not drained: ${what}: ${JSON.stringify({ waiting: chargers.waiting, last, unanswered: [...chargers.unanswered] })}`,
        )
      await sleep(50)
    }
  }
  await until('records unanswered', async () => {
    last = await read<LaneSaid>(`${(await sequencer.up()).url}/v1/lanes/${lane.lane}`)
    return chargers.waiting === 0
  })
  await until('batches not on L1', async () => {
    const said = await read<LaneSaid>(`${(await sequencer.up()).url}/v1/lanes/${lane.lane}`)
    last = said
    const { closedIndex, postedIndex, openBatch, forced } = said
    return postedIndex === closedIndex && openBatch.records === 0 && forced.taken === queued
  })
  await sequencer.stop()
  // Whatever the last look at L1 said, nothing of it is still under way.
  await world.anvil().mine(2)
  await until('batches unchecked', async () => {
    const said = await read<ProverSaid>(`${(await prover.up()).url}/status`)
    last = said
    const [own] = said.lanes
    if (own?.falseBatch !== undefined || said.frauds.proven > 0) throw new Error(`an honest batch counts as false`)
    return own !== undefined && own.checkedIndex === own.liveIndex && said.problems.length === 0
  })
  await prover.stop()
}

async function read<T>(url: string): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) })
  return (await response.json()) as T
}
