import type { L1Update } from '../../l1/follow.ts'
import type { LaneView } from '../../l1/laneView/laneView.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { RulesView } from '../rulesView.ts'

/** Keeps the rules at the newest block held final. The time moves only after the rules do. */
export class FinalRules implements RulesView {
  readonly rules: LaneRules
  readonly #view: LaneView
  #final: L1Update['final']

  private constructor(view: LaneView, final: L1Update['final']) {
    this.#view = view
    this.#final = final
    this.rules = view.rules
  }

  static async open(view: LaneView, final: L1Update['final']): Promise<FinalRules> {
    await view.catchUp(final)
    return new FinalRules(view, final)
  }

  get finalTime(): number {
    return this.#final.timestamp
  }

  get finalBlock(): bigint {
    return this.#final.number
  }

  get zone(): number {
    return this.#view.of.zone
  }

  async onL1(update: L1Update): Promise<void> {
    const isRebuilt = await this.#view.catchUp(update.final)
    if (isRebuilt || this.#view.rules !== this.rules || update.reorg?.brokeFinality === true) {
      throw new BackfeedError(
        'FINALITY_BROKEN',
        'L1 took back a block that was held final: records were settled by it',
        {
          exitCode: ExitCode.refusedByL1,
          details: { final: update.final.number },
        },
      )
    }
    this.#final = update.final
  }
}
