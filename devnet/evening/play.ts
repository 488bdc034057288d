import { BackfeedError } from '../../runtime/errors.ts'
import { pause } from '../../runtime/wait.ts'
import type { Sequencer } from '../../sequencer/main.ts'
import type { DevnetBroker } from '../broker.ts'
import type { L1Node } from '../l1Node.ts'
import { LaneApi } from '../laneApi.ts'
import type { PricePublisher } from '../pricePublisher.ts'
import { grouped, type Screen } from '../screen.ts'
import type { EveningCharger } from './charger.ts'
import type { Disturbance, Disturbances } from './disturbances.ts'
import type { GatewayProcess } from '../gateway/gatewayProcess.ts'
import { type GatewayView, gatewaySeconds, unsettled } from '../gateway/gatewayView.ts'
import type { EveningPlan } from './plan.ts'

export interface EveningPlay {
  readonly plan: EveningPlan
  readonly disturbances: Disturbances
  readonly chargers: readonly EveningCharger[]
  readonly gateway: GatewayProcess
  readonly view: GatewayView
  readonly broker: DevnetBroker
  readonly node: L1Node
  readonly publisher: PricePublisher
  readonly sequencer: Sequencer
  readonly lane: number
  readonly screen: Screen
  readonly signal: AbortSignal
}

export interface EveningTotals {
  kills: number
  brokerRestarts: number
  cuts: number
  repeats: number
}

/** Real time for a minute of the evening, so that disturbances meet messages on their way and not a silent night. */
const MINUTE_MS = 60
const MINUTE_SECONDS = 60
/** A busy machine is slow; only a fault takes this long. */
const WAIT_TIMEOUT_MS = 240_000

/**
 * Plays the evening: the chain's clock goes to the end of each quarter of an hour, then chargers send what they metered in it minute by minute,
 * while things go wrong. What they sent is on L1 before the next quarter begins.
 */
export async function playEvening(play: EveningPlay): Promise<EveningTotals> {
  const { plan, screen, signal, chargers, view, node } = play
  const totals: EveningTotals = { kills: 0, brokerRestarts: 0, cuts: 0, repeats: 0 }
  const api = new LaneApi(play.sequencer.url, play.lane)
  const trouble = new Trouble(play, totals)
  const { steps, startSeconds } = plan.scenario
  let fault: unknown
  play.sequencer.done.catch((error: unknown) => (fault = error))
  let minute = 0
  for (const { label, untilSeconds } of steps) {
    const isLast = untilSeconds === steps.at(-1)!.untilSeconds
    await play.publisher.publishBefore(untilSeconds)
    await node.moveTo(untilSeconds + 1)
    await until(play, `the sequencer sees ${label}`, async () => (await api.lane()).l1.seconds > untilSeconds)
    await view.until(`the gateway sees ${label}`, (status) => gatewaySeconds(status) > untilSeconds)
    for (; startSeconds + (minute + 1) * MINUTE_SECONDS <= untilSeconds; minute++) {
      signal.throwIfAborted()
      if (fault !== undefined) throw fault
      for (const charger of chargers) charger.advance(startSeconds + (minute + 1) * MINUTE_SECONDS)
      trouble.make(minute)
      await pause(MINUTE_MS, signal)
    }
    if (isLast) trouble.endCuts()
    await trouble.over()
    // Links that are cut over the end of a quarter keep what they have: it comes in a later one, as from the past.
    const connected = (charger: EveningCharger): boolean => !trouble.isCut(charger.evse)
    await until(play, `the chargers’ messages of ${label} are answered`, async () =>
      chargers.every((charger) => !connected(charger) || charger.waiting === 0),
    )
    await view.until(`the records of ${label} have receipts`, (status) => unsettled(status) === 0)
    const { accepted, openBatch } = await api.lane()
    if (openBatch.records > 0) {
      await play.sequencer.closeBatch(play.lane)
      await node.moveTo(openBatch.asOf + 1)
      await until(play, `the records of ${label} are on L1`, async () => {
        const lane = await api.lane()
        return lane.openBatch.records === 0 && lane.postedIndex === lane.closedIndex
      })
    }
    const waiting = chargers.reduce((sum, charger) => sum + charger.waiting, 0)
    screen.event(
      `${label}  ${grouped(accepted)} records accepted so far, ${grouped(waiting)} messages behind cut links`,
    )
  }
  return totals
}

/** Makes trouble by plan, and repairs it. */
class Trouble {
  readonly #play: EveningPlay
  readonly #totals: EveningTotals
  /** Until which minute a charger's link is cut. */
  readonly #cutUntil = new Map<number, number>()
  readonly #under = new Set<Promise<void>>()
  #failure: unknown
  /** Kills come one after another: a gateway that does not run cannot be killed. */
  #gateway: Promise<void> = Promise.resolve()
  #broker: Promise<void> = Promise.resolve()

  constructor(play: EveningPlay, totals: EveningTotals) {
    this.#play = play
    this.#totals = totals
  }

  isCut(evse: number): boolean {
    return this.#cutUntil.has(evse)
  }

  make(minute: number): void {
    if (this.#failure !== undefined) throw this.#failure
    for (const [evse, until] of this.#cutUntil) if (minute >= until) this.#restore(evse)
    for (const disturbance of this.#play.disturbances.at.get(minute) ?? []) this.#disturb(disturbance, minute)
  }

  endCuts(): void {
    for (const evse of [...this.#cutUntil.keys()]) this.#restore(evse)
  }

  /** Resolves when the gateway and the broker run again. */
  async over(): Promise<void> {
    while (this.#under.size > 0) await Promise.all(this.#under)
    if (this.#failure !== undefined) throw this.#failure
  }

  #disturb(disturbance: Disturbance, minute: number): void {
    const { chargers, gateway, broker, screen, signal } = this.#play
    switch (disturbance.kind) {
      case 'KILL_GATEWAY':
        this.#gateway = this.#gateway.then(async () => {
          await gateway.kill()
          this.#totals.kills++
          screen.event('the gateway is killed')
          await gateway.start(signal)
          screen.event('the gateway runs again')
        })
        this.#watch(this.#gateway)
        return
      case 'RESTART_BROKER':
        this.#broker = this.#broker.then(async () => {
          await broker.restart(disturbance.downMs)
          this.#totals.brokerRestarts++
          screen.event(`the broker was gone for ${disturbance.downMs} ms, and remembers nothing`)
        })
        this.#watch(this.#broker)
        return
      case 'CUT_LINKS':
        for (const evse of disturbance.evses) {
          if (this.#cutUntil.has(evse)) continue
          this.#cutUntil.set(evse, minute + disturbance.minutes)
          this.#totals.cuts++
          this.#watch(chargers[evse]!.cut())
        }
        return
      case 'REPEAT':
        for (const evse of disturbance.evses) {
          this.#totals.repeats++
          chargers[evse]!.repeat()
        }
        return
      default:
        throw new Error(`unknown disturbance ${(disturbance satisfies never as Disturbance).kind}`)
    }
  }

  #restore(evse: number): void {
    this.#cutUntil.delete(evse)
    this.#play.chargers[evse]!.restore()
  }

  #watch(work: Promise<void>): void {
    const watched: Promise<void> = work
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => this.#under.delete(watched))
    this.#under.add(watched)
  }
}

async function until(play: EveningPlay, what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_TIMEOUT_MS
  while (!(await holds())) {
    play.signal.throwIfAborted()
    if (performance.now() > deadline) {
      const waiting = play.chargers
        .filter((charger) => charger.waiting > 0)
        .map(({ evse, waiting }) => `${evse}: ${waiting}`)
      const log = await play.gateway.lastLines()
      throw new BackfeedError(
        'EVENING_STUCK',
        `waited in vain until ${what}; waiting ${waiting.slice(0, 10).join(', ')}; ${log}`,
      )
    }
    await pause(30, play.signal)
  }
}
