import type { RecordClient } from '../../client/recordClient.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component } from '../../runtime/service.ts'
import { MAX_PROBLEMS } from '../limits.ts'
import type { Deliverable, RowQueue } from '../outbox/outbox.ts'
import { queueName } from '../outbox/rows.ts'
import type { EdgeProblem } from '../problem.ts'
import type { DeliveryConfig } from './config.ts'
import { LaneDelivery } from './laneDelivery.ts'
import { deliveryMetrics } from './metrics.ts'

export interface DeliverySettings {
  readonly outbox: Deliverable
  /** By lane: the first serves, the others take over while it does not. They try once only (`retry: {attempts: 1}`): waiting is done here. */
  readonly clients: ReadonlyMap<number, readonly RecordClient[]>
  readonly config: DeliveryConfig
  /** What an EVSE is called in logs and problems. Default: its lane and slot. */
  readonly nameOf?: (queue: RowQueue) => string | undefined
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly now: () => number
  readonly monotonicMs: () => number
  /** 0 … 1. Default Math.random. */
  readonly random?: () => number
  readonly log: Logger
  readonly metrics: Metrics
}

/** Brings the outbox's rows to their sequencers, and the answers back into it. Closes no clients: they are the caller's. */
export class Delivery implements Component {
  readonly name = 'delivery'
  readonly #lanes = new Map<number, LaneDelivery>()
  readonly #outbox: Deliverable
  #stopListening: (() => void) | undefined

  constructor(settings: DeliverySettings) {
    const { clients, nameOf, random = Math.random, metrics, ...shared } = settings
    this.#outbox = settings.outbox
    const defined = deliveryMetrics(metrics)
    const name = (queue: RowQueue): string => nameOf?.(queue) ?? queueName(queue)
    for (const [lane, of] of clients) {
      if (of.length === 0) throw new RangeError(`lane ${lane} has no way to a sequencer`)
      this.#lanes.set(lane, new LaneDelivery({ ...shared, lane, clients: of, nameOf: name, random, metrics: defined }))
    }
  }

  start(): void {
    this.#stopListening = this.#outbox.onPut(({ lane }) => this.#lanes.get(lane)?.wake())
    for (const lane of this.#lanes.values()) lane.wake()
  }

  /** What is under way is given up: it comes back as duplicates. */
  async stop(): Promise<void> {
    this.#stopListening?.()
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop()))
  }

  problems(): readonly EdgeProblem[] {
    const stranded = new Set(
      this.#outbox
        .waiting()
        .map(({ lane }) => lane)
        .filter((lane) => !this.#lanes.has(lane)),
    )
    return [
      ...[...stranded].map((lane) => ({
        code: 'NO_TARGET',
        message: `records wait for lane ${lane}, which has no sequencer`,
      })),
      ...[...this.#lanes.values()].flatMap((lane) => lane.problems()),
    ].slice(0, MAX_PROBLEMS)
  }

  /** Wall clock of each lane's last answer; undefined before the first. */
  lastAnswers(): ReadonlyMap<number, number | undefined> {
    return new Map([...this.#lanes].map(([lane, { lastAnswerMs }]) => [lane, lastAnswerMs]))
  }
}
