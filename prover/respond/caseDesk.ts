import type { FalseBatch } from '../replay/laneChecker.ts'
import { type CaseResult, type ResponderSettings, respond } from './responder.ts'

export interface CaseTotals {
  readonly proven: number
  readonly rewardWei: bigint
  readonly tooLate: number
}

/** Answers at most one false batch a lane at a time, beside the checking of the other lanes. */
export class CaseDesk {
  readonly #settings: ResponderSettings
  readonly #running = new Map<number, Promise<void>>()
  /** By lane: L1's block when the last case ended. Until that block was followed, what the lane shows is old news. */
  readonly #endedAt = new Map<number, bigint>()
  readonly #lost = new Set<string>()
  readonly #onProven: (result: Extract<CaseResult, { kind: 'proven' }>) => void
  #totals = { proven: 0, rewardWei: 0n, tooLate: 0 }

  constructor(settings: ResponderSettings, onProven: (result: Extract<CaseResult, { kind: 'proven' }>) => void) {
    this.#settings = settings
    this.#onProven = onProven
  }

  get totals(): CaseTotals {
    return this.#totals
  }

  get isIdle(): boolean {
    return this.#running.size === 0
  }

  /** Whether the false batch became final. */
  isLost(falsehood: FalseBatch): boolean {
    return this.#lost.has(falsehood.batch.headerHash)
  }

  /** `followedBlock`: up to where L1 is known to the caller, which still sees the false batch there. */
  open(falsehood: FalseBatch, followedBlock: bigint, signal: AbortSignal): void {
    const { lane } = falsehood.batch.header
    if (this.#running.has(lane) || this.isLost(falsehood)) return
    if (followedBlock <= (this.#endedAt.get(lane) ?? -1n)) return
    const running = this.#answer(falsehood, signal).finally(() => this.#running.delete(lane))
    this.#running.set(lane, running)
  }

  /** Resolves when no case is being worked on. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  async #answer(falsehood: FalseBatch, signal: AbortSignal): Promise<void> {
    const result = await respond(falsehood, this.#settings, signal)
    switch (result.kind) {
      case 'proven':
        this.#totals = {
          ...this.#totals,
          proven: this.#totals.proven + 1,
          rewardWei: this.#totals.rewardWei + result.rewardWei,
        }
        this.#endedAt.set(falsehood.batch.header.lane, result.block)
        this.#onProven(result)
        break
      case 'fallen':
        this.#endedAt.set(falsehood.batch.header.lane, result.block)
        break
      case 'tooLate':
        this.#totals = { ...this.#totals, tooLate: this.#totals.tooLate + 1 }
        this.#lost.add(falsehood.batch.headerHash)
        break
      case 'stopped':
        break
      default:
        throw new Error(`unknown result ${result satisfies never}`)
    }
  }
}
