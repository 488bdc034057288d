import type { L1Update } from '../../l1/follow.ts'
import type { ForcedView } from '../../l1/forced/forcedView.ts'
import type { LaneView } from '../../l1/laneView/laneView.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { ForcedEntry } from '../forced.ts'
import type { RulesView } from '../rulesView.ts'

/** Keeps the rules and the forced queue at the newest block held final. The time moves only after the rules do. */
export class FinalRules implements RulesView {
  readonly rules: LaneRules
  readonly #view: LaneView
  readonly #queue: ForcedView
  #forced: readonly ForcedEntry[] = []
  #final: L1Update['final']

  private constructor(view: LaneView, queue: ForcedView, final: L1Update['final']) {
    this.#view = view
    this.#queue = queue
    this.#forced = queue.slice(0n, queue.length)
    this.#final = final
    this.rules = view.rules
  }

  static async open(view: LaneView, queue: ForcedView, final: L1Update['final']): Promise<FinalRules> {
    await view.catchUp(final)
    await queue.catchUp(final)
    return new FinalRules(view, queue, final)
  }

  get finalTime(): number {
    return this.#final.timestamp
  }

  get finalBlock(): bigint {
    return this.#final.number
  }

  get forced(): readonly ForcedEntry[] {
    return this.#forced
  }

  get zone(): number {
    return this.#view.of.zone
  }

  async onL1(update: L1Update): Promise<void> {
    const isRebuilt = await this.#view.catchUp(update.final)
    const isQueueRebuilt = await this.#queue.catchUp(update.final)
    if (isRebuilt || isQueueRebuilt || this.#view.rules !== this.rules || update.reorg?.brokeFinality === true) {
      throw new BackfeedError(
        'FINALITY_BROKEN',
        'L1 took back a block that was held final: records were settled by it',
        {
          exitCode: ExitCode.refusedByL1,
          details: { final: update.final.number },
        },
      )
    }
    const { length } = this.#queue
    if (length !== BigInt(this.#forced.length)) this.#forced = this.#queue.slice(0n, length)
    this.#final = update.final
  }
}
