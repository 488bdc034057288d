import { setTimeout as sleep } from 'node:timers/promises'
import { forceRow } from '../support/forceRow.ts'
import { forward, type Script } from '../support/hostileNode.ts'
import { Chargers } from './chargers.ts'
import { drain } from './drain.ts'
import { dearBlobs, l1FaultScript, withBlobLimit } from './l1Faults.ts'
import { CHARGERS, type Fault, type FaultKind, type Plan } from './plan.ts'
import { type Audited, audit } from './audit.ts'
import { FINAL_DEPTH, openWorld, type World } from './world.ts'

export interface Played extends Audited {
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  readonly deepestReorg: number
  readonly network: Readonly<Record<string, number>>
  readonly unanswered: Readonly<Record<string, number>>
  readonly drainMs: number
  readonly starts: number
  readonly proverStarts: number
  /** Times that the sequencer or prover ended for want of L1 and was started again. */
  readonly gaveUp: number
}

/** Plays a plan against the real services and has the auditor look at what came of it. Throws with seed, step and replay command. */
export async function play(plan: Plan, log: (text: string) => void = () => {}): Promise<Played> {
  let doing = 'opening the world'
  try {
    await using world = await openWorld(plan)
    const chargers = new Chargers({
      lane: world.lane,
      chargers: CHARGERS,
      seed: plan.seed,
      url: () => world.sequencer.told?.url,
    })
    try {
      const run = new Run(world)
      world.prover.start()
      world.sequencer.start()
      await world.sequencer.up()
      for (const [i, step] of plan.steps.entries()) {
        doing = `step ${i + 1} of ${plan.steps.length}: ${JSON.stringify(step.fault)}`
        log(doing)
        for (const [evse, records] of step.records.entries()) chargers.measure(evse, records)
        chargers.networkTrouble = step.networkTrouble
        await run.inject(step.fault)
        if (step.awaitUp) await world.sequencer.up()
        await sleep(step.pauseMs)
        requireHealthy(world, chargers)
      }
      doing = `draining after step ${plan.steps.length}`
      log(doing)
      await run.heal()
      const startedAt = performance.now()
      await drain(world, chargers)
      const drainMs = Math.round(performance.now() - startedAt)
      await chargers.stop()
      doing = `auditing after step ${plan.steps.length}`
      log(doing)
      const audited = await audit(world, chargers.fates, run.forcedRows)
      const { sequencer, prover } = world
      return {
        ...audited,
        faults: run.faults,
        deepestReorg: run.deepestReorg,
        network: chargers.counts,
        unanswered: Object.fromEntries(chargers.unanswered),
        drainMs,
        starts: sequencer.starts,
        proverStarts: prover.starts,
        gaveUp: sequencer.gaveUp + prover.gaveUp,
      }
    } finally {
      await chargers.stop().catch(() => {})
    }
  } catch (cause) {
    const replay = `npm run simulate -- --seed ${plan.seed} --steps ${plan.steps.length}`
    throw new Error(`seed ${plan.seed} failed at ${doing}; replay: ${replay}`, { cause })
  }
}

function requireHealthy({ sequencer, prover }: World, chargers: Chargers): void {
  for (const fault of [chargers.fault, sequencer.fault, prover.fault]) if (fault !== undefined) throw fault
}

class Run {
  readonly faults: Partial<Record<FaultKind, number>> = {}
  /** Offered to L1's queue; a reorganisation may have taken some out of it again. */
  readonly forcedRows: Uint8Array[] = []
  deepestReorg = 0
  readonly #world: World
  readonly #timers = new Set<NodeJS.Timeout>()
  #script: Script = () => forward
  #blobLimit: number | undefined

  constructor(world: World) {
    this.#world = world
  }

  async inject(fault: Fault): Promise<void> {
    const { sequencer, prover, beacon, lane } = this.#world
    const anvil = this.#world.anvil()
    this.faults[fault.kind] = (this.faults[fault.kind] ?? 0) + 1
    switch (fault.kind) {
      case 'none':
        return
      case 'killSequencer':
        await sequencer.kill()
        await sleep(fault.downMs)
        return sequencer.start()
      case 'stopSequencer':
        await sequencer.stop()
        return sequencer.start()
      case 'freezeSequencer':
        sequencer.signal('SIGSTOP')
        await sleep(fault.ms)
        return sequencer.signal('SIGCONT')
      case 'killProver':
        await prover.kill()
        await sleep(fault.downMs)
        return prover.start()
      case 'forceRecord': {
        const row = lane.fleet.sign(lane.fleet.next(CHARGERS))
        await forceRow(lane, row)
        this.forcedRows.push(row)
        return
      }
      case 'reorg':
        return await this.#reorg(fault)
      case 'evict':
        return await this.#evict()
      case 'l1':
        this.#script = l1FaultScript(fault.fault, fault.seed)
        this.#playScript()
        return this.#later(fault.ms, () => this.#healL1())
      case 'feeSpike': {
        const { baseFeePerGas } = await anvil.publicClient.getBlock()
        const wei = (baseFeePerGas ?? 1n) * BigInt(fault.times)
        await anvil.rpc('anvil_setNextBlockBaseFeePerGas', [`0x${wei.toString(16)}`])
        this.#script = dearBlobs(fault.times)
        this.#playScript()
        return this.#later(fault.ms, () => this.#healL1())
      }
      case 'blobLimit':
        this.#blobLimit = fault.blobs
        return this.#playScript()
      case 'beacon':
        beacon.misbehave(fault.fault)
        return this.#later(fault.ms, () => beacon.misbehave(undefined))
      case 'restartL1':
        return await this.#world.restartL1()
      case 'clock':
        await anvil.rpc('anvil_mine', [hex(FINAL_DEPTH + 2), hex(Math.ceil(fault.seconds / (FINAL_DEPTH + 2)))])
        return
      default:
        throw new Error(`unknown fault ${fault satisfies never}`)
    }
  }

  /** All faults end. */
  async heal(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    const { sequencer, prover, beacon } = this.#world
    this.#blobLimit = undefined
    this.#healL1()
    beacon.misbehave(undefined)
    sequencer.start()
    prover.start()
    await sequencer.up()
    await prover.up()
  }

  async #reorg({ depth: wanted, restore }: { depth: number; restore: boolean }): Promise<void> {
    const anvil = this.#world.anvil()
    const depth = Math.min(wanted, await this.#world.reorgable())
    if (depth === 0) return
    this.deepestReorg = Math.max(this.deepestReorg, depth)
    const seconds = await anvil.now()
    const lost: string[] = []
    if (restore) {
      const head = Number(await anvil.rpc<string>('eth_blockNumber'))
      for (let number = head - depth + 1; number <= head; number++) {
        const { transactions } = await anvil.rpc<{ transactions: string[] }>('eth_getBlockByNumber', [
          hex(number),
          false,
        ])
        for (const hash of transactions) lost.push(await anvil.rpc<string>('eth_getRawTransactionByHash', [hash]))
      }
    }
    await anvil.reorg(depth)
    // The clock of the chain that won is where that of the one that lost was.
    await anvil.warpTo(seconds + 1)
    // Pools take back what fell out; blob transactions have lost their blobs by then, and do not return.
    for (const raw of lost) await anvil.rpc('eth_sendRawTransaction', [raw]).catch(() => {})
  }

  async #evict(): Promise<void> {
    const anvil = this.#world.anvil()
    await this.#world.mining(false)
    let dropped = 0
    for (let look = 0; look < 40 && dropped === 0; look++) {
      await sleep(50)
      const pool = await anvil.rpc<Record<'pending' | 'queued', Pooled>>('txpool_content')
      for (const of of [...Object.values(pool.pending), ...Object.values(pool.queued)]) {
        for (const { hash } of Object.values(of)) {
          await anvil.rpc('anvil_dropTransaction', [hash])
          dropped++
        }
      }
    }
    await this.#world.mining(true)
  }

  #playScript(): void {
    this.#world.node.play(withBlobLimit(this.#blobLimit, this.#script))
  }

  #healL1(): void {
    this.#script = () => forward
    this.#playScript()
  }

  #later(ms: number, heal: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      heal()
    }, ms)
    this.#timers.add(timer)
  }
}

type Pooled = Record<string, Record<string, { readonly hash: string }>>

const hex = (value: number): string => `0x${value.toString(16)}`
