import { type LaneReplaySettings, openLaneReplay } from '../../bridge/laneReplay.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { type DischargeRecord, decodeRecord } from '../../protocol/record.ts'
import { resultName } from '../../protocol/wire.ts'

/** What a lane came to, by L1 alone. */
export interface LaneOnL1 {
  /** Records that settled, in the lane's order, and what each was worth. */
  readonly settled: readonly { readonly record: DischargeRecord; readonly amountMicro: number }[]
  /** Records that came to nothing, by outcome. */
  readonly fruitless: ReadonlyMap<string, number>
}

/** Reads every batch back and settles it again, signatures included. @throws BackfeedError WRONG_ROOT */
export async function readLaneOnL1(settings: LaneReplaySettings): Promise<LaneOnL1> {
  const replay = await openLaneReplay(settings)
  const settled: { record: DischargeRecord; amountMicro: number }[] = []
  const fruitless = new Map<string, number>()
  await replay.advanceTo(replay.tipIndex, {
    onRecord: ({ bytes, at, outcome, amountMicro }) => {
      if (outcome === Outcome.SETTLED) settled.push({ record: decodeRecord(bytes, at), amountMicro })
      else if (outcome !== Outcome.EMPTY)
        fruitless.set(resultName(outcome), (fruitless.get(resultName(outcome)) ?? 0) + 1)
    },
  })
  return { settled, fruitless }
}
