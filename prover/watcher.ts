import { rollupAbi } from '../l1/abi/rollup.ts'
import type { L1Client } from '../l1/client.ts'
import { l1Error } from '../l1/errors.ts'
import type { BlockRef, L1Follower } from '../l1/follow.ts'
import { BackfeedError, describeError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/log.ts'
import type { Component, ComponentContext } from '../runtime/service.ts'
import { pause } from '../runtime/wait.ts'
import type { LaneWatch } from './replay/laneWatch.ts'
import type { FalseBatch } from './replay/laneChecker.ts'
import type { LaneCheckStatus, ProverProblem } from './status.ts'

export interface WatcherSettings {
  readonly client: L1Client
  readonly rollup: `0x${string}`
  readonly follower: L1Follower
  /** Absent: all. */
  readonly lanes: readonly number[] | undefined
  readonly retryMs: number
  readonly log: Logger
  openLane(lane: number): LaneWatch
  /** Called at every look while L1, as far as it was followed, holds the false batch. */
  onFalse(falsehood: FalseBatch, followed: bigint, signal: AbortSignal): void
}

/** Drives the lanes: one after another, so that memory and threads are shared out, and no lane's trouble stops another. */
export class Watcher implements Component {
  readonly name = 'watcher'
  readonly #settings: WatcherSettings
  readonly #watches = new Map<number, LaneWatch>()
  readonly #troubles = new Map<number, ProverProblem>()
  #lanesKnownUpTo = -1n
  #trouble: ProverProblem | undefined
  #stopping = new AbortController()
  #running: Promise<void> | undefined
  #wake: (() => void) | undefined
  #isPoked = false

  constructor(settings: WatcherSettings) {
    this.#settings = settings
  }

  start(context: ComponentContext): void {
    const unsubscribe = this.#settings.follower.onUpdate(() => this.poke())
    this.#running = this.#run()
      .catch((error: unknown) => context.fail(error))
      .finally(unsubscribe)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.poke()
    await this.#running
  }

  poke(): void {
    this.#isPoked = true
    this.#wake?.()
  }

  /** Lowest block up to which every lane was checked that there is; −1: none. */
  get checkedUpTo(): bigint {
    let lowest = this.#lanesKnownUpTo
    for (const { checkedUpTo } of this.#watches.values()) if (checkedUpTo < lowest) lowest = checkedUpTo
    return lowest
  }

  falsehoods(): FalseBatch[] {
    return [...this.#watches.values()].flatMap(({ falsehood }) => falsehood ?? [])
  }

  lanes(): LaneCheckStatus[] {
    return [...this.#watches.values()].map((watch) => ({
      lane: watch.lane,
      checkedUpTo: watch.checkedUpTo,
      checkedIndex: watch.checkedIndex,
      liveIndex: watch.liveIndex,
      ...(watch.falsehood === undefined
        ? {}
        : { falseBatch: { index: watch.falsehood.batch.header.index, chunk: watch.falsehood.chunk } }),
    }))
  }

  problems(): ProverProblem[] {
    return [...(this.#trouble === undefined ? [] : [this.#trouble]), ...this.#troubles.values()]
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#isPoked = false
      const block = this.#settings.follower.final
      const hasTrouble = !(await this.#findLanes(block))
      let isDone = true
      for (const watch of this.#watches.values()) {
        if (signal.aborted) return
        isDone = (await this.#advance(watch, block, signal)) && isDone
      }
      // Looking again when nothing seems new notices an L1 that went silent.
      if (isDone || hasTrouble || this.#troubles.size > 0) await this.#pause(this.#settings.retryMs)
    }
  }

  /** False when L1 did not say which lanes there are. */
  async #findLanes(block: BlockRef): Promise<boolean> {
    const { client, rollup, lanes, openLane } = this.#settings
    try {
      // Of the newest block: nodes need not know old states. A lane that is opened later than `block` waits.
      const count = await client.readContract({ address: rollup, abi: rollupAbi, functionName: 'laneCount' })
      for (let lane = 0; lane < count; lane++) {
        if (!this.#watches.has(lane) && (lanes?.includes(lane) ?? true)) this.#watches.set(lane, openLane(lane))
      }
      this.#trouble = undefined
      this.#lanesKnownUpTo = block.number
      return true
    } catch (cause) {
      const error = l1Error('counting the lanes', cause)
      if (this.#trouble === undefined) this.#settings.log.warn({ err: error }, describeError(error))
      this.#trouble = { code: error.code, message: error.message }
      return false
    }
  }

  /** True when nothing is left to do at this block, or nothing can be done. */
  async #advance(watch: LaneWatch, block: BlockRef, signal: AbortSignal): Promise<boolean> {
    const { log, onFalse } = this.#settings
    const { lane } = watch
    try {
      const isDone = await watch.advance(block, signal)
      if (this.#troubles.delete(lane)) log.info({ lane }, 'the lane is checked again')
      if (isDone && watch.falsehood !== undefined) onFalse(watch.falsehood, block.number, signal)
      return isDone
    } catch (error) {
      if (signal.aborted) return true
      const problem = describeTrouble(lane, error)
      if (this.#troubles.get(lane)?.message !== problem.message) log.error({ lane, err: error }, problem.message)
      this.#troubles.set(lane, problem)
      return true
    }
  }

  /** Until something new is known of L1, at most `ms`. */
  async #pause(ms: number): Promise<void> {
    if (this.#isPoked || this.#stopping.signal.aborted) return
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    const timeout = new AbortController()
    await Promise.race([woken, pause(ms, AbortSignal.any([timeout.signal, this.#stopping.signal]))])
    timeout.abort()
    this.#wake = undefined
  }
}

/** Data that cannot be had say nothing about the batch: no verdict, but the loudest of alarms. */
function describeTrouble(lane: number, error: unknown): ProverProblem {
  const isMissing =
    error instanceof BackfeedError && (error.code === 'BLOB_UNAVAILABLE' || error.code === 'CALLDATA_UNREACHABLE')
  const code = isMissing ? 'DATA_MISSING' : error instanceof BackfeedError ? error.code : 'INTERNAL'
  return { code, lane, message: `lane ${lane} cannot be checked: ${describeError(error)}` }
}
