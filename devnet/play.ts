import { dollars } from '../bridge/money.ts'
import { BLOB_BYTES } from '../protocol/chunk.ts'
import { BackfeedError } from '../runtime/errors.ts'
import { pause } from '../runtime/wait.ts'
import type { L1Node } from './l1Node.ts'
import type { LaneAnswer, LaneApi } from './laneApi.ts'
import type { PricePublisher } from './pricePublisher.ts'
import type { Scenario } from './scenario.ts'
import { grouped, type Screen } from './screen.ts'
import { type Gateways, type Tally, tallyTotalMicro } from './submitting.ts'

export interface PlayedLane {
  readonly name: string
  readonly scenario: Scenario
  readonly api: LaneApi
  readonly gateways: Gateways
  readonly tally: Tally
  /** Closes the open batch, so that a step's records go to L1 in the step. */
  readonly closeBatch: () => Promise<void>
}

export interface Play {
  /** Their scenarios have the same steps. */
  readonly lanes: readonly PlayedLane[]
  readonly node: L1Node
  readonly publisher: PricePublisher
  readonly screen: Screen
  readonly signal: AbortSignal
  /** Of the services: a fault ends the run. */
  readonly failed: () => unknown
}

/** So many steps get a line each; of more, the newest is shown. */
const MOST_LINES = 40
/** A busy machine is slow; only a fault takes this long. */
const WAIT_TIMEOUT_MS = 300_000

/** Plays a scenario: the chain's clock goes from step to step, and what was measured in each is submitted, batched and posted in it. */
export async function playScenario(play: Play): Promise<void> {
  const { lanes, screen } = play
  const { steps } = lanes[0]!.scenario
  const isShort = steps.length <= MOST_LINES
  for (const [index, { label, untilSeconds }] of steps.entries()) {
    play.signal.throwIfAborted()
    await play.publisher.publishBefore(untilSeconds)
    await play.node.moveTo(untilSeconds + 1)
    const busy = lanes.filter(({ scenario }) => scenario.steps[index]!.discharges.length > 0)
    const before = busy.map(({ tally }) => ({ settled: tally.settled, ms: tally.submittingMs }))
    const posted = await playStep(play, busy, index)
    for (const [i, lane] of busy.entries()) {
      const { tally } = lane
      const rate = (1000 * lane.scenario.steps[index]!.discharges.length) / (tally.submittingMs - before[i]!.ms)
      const batch = posted[i]
      const text = [
        isShort ? label : `${label} (${index + 1}/${steps.length})`,
        `${lane.name}: ${grouped(tally.settled - before[i]!.settled)} records at ${grouped(Math.round(rate))}/s`,
        batch === undefined ? 'nothing to post' : await describeBatch(play, lane, batch),
        `$${dollars(tallyTotalMicro(tally))} credited in all`,
      ].join('  ')
      if (isShort) screen.event(text)
      else screen.status(text)
    }
  }
  screen.endStatus()
}

async function describeBatch(play: Play, { api }: PlayedLane, index: number): Promise<string> {
  const { records, header, transaction } = await api.batch(index)
  if (transaction === undefined) return `batch ${index}`
  const receipt = await play.node.client.getTransactionReceipt({ hash: transaction.hash })
  const { input, blobVersionedHashes } = await play.node.client.getTransaction({ hash: transaction.hash })
  const blobs = blobVersionedHashes?.length ?? 0
  const bytes = blobs > 0 ? blobs * BLOB_BYTES : (input.length - 2) / 2
  const each = (value: number): string => grouped(Math.round(value / Math.max(1, records)))
  return (
    `batch ${index}: ${header.chunkCount} chunks, a record ${each(Number(receipt.gasUsed))} gas ` +
    `and ${each(bytes)} ${blobs > 0 ? 'blob' : 'calldata'} bytes`
  )
}

/** Each lane's newest batch on L1 when the step's records are there; undefined when none of them was accepted. */
async function playStep(play: Play, lanes: readonly PlayedLane[], index: number): Promise<(number | undefined)[]> {
  const each = <T>(act: (lane: PlayedLane, i: number) => Promise<T>): Promise<T[]> => Promise.all(lanes.map(act))
  // Until the sequencer sees the step's end on L1, a record of it would be one from the future.
  await each(({ api, name, scenario }) => {
    const { label, untilSeconds } = scenario.steps[index]!
    const what = `the sequencer sees ${label} of ${name}`
    return waitUntil(play, api, what, (lane) => lane.l1.seconds > untilSeconds && lane.accepting)
  })
  const before = await each(({ api }) => api.lane())
  await each(({ gateways, scenario }) => gateways.submit(scenario.steps[index]!.discharges, play.signal))
  const after = await each(({ api }) => api.lane())
  const took = after.map(({ accepted }, i) => accepted !== before[i]!.accepted)
  await each(async ({ closeBatch }, i) => took[i] && (await closeBatch()))
  if (!took.includes(true)) return lanes.map(() => undefined)
  // L1 takes a batch only when its time has passed the batch's date.
  await play.node.moveTo(Math.max(...after.map(({ openBatch }) => openBatch.asOf)) + 1)
  return await each(async ({ api, name, scenario }, i) => {
    if (!took[i]) return undefined
    const what = `the records of ${scenario.steps[index]!.label} of ${name} are on L1`
    const isPosted = (lane: LaneAnswer): boolean =>
      lane.openBatch.records === 0 && lane.postedIndex === lane.closedIndex
    return (await waitUntil(play, api, what, isPosted)).postedIndex
  })
}

/** Asks the sequencer until it says so. @throws BackfeedError DEVNET_STUCK with the sequencer's own reason */
async function waitUntil(
  play: Play,
  api: LaneApi,
  what: string,
  holds: (lane: LaneAnswer) => boolean,
): Promise<LaneAnswer> {
  const deadline = performance.now() + WAIT_TIMEOUT_MS
  for (;;) {
    play.signal.throwIfAborted()
    const fault = play.failed()
    if (fault !== undefined) throw fault
    const lane = await api.lane()
    if (holds(lane)) return lane
    if (performance.now() > deadline) {
      throw new BackfeedError('DEVNET_STUCK', `waited in vain until ${what}: ${await api.problems()}`)
    }
    await pause(15, play.signal)
  }
}
