import { dollars } from '../bridge/money.ts'
import { BLOB_BYTES } from '../protocol/chunk.ts'
import { BackfeedError } from '../runtime/errors.ts'
import { pause } from '../runtime/wait.ts'
import type { L1Node } from './l1Node.ts'
import type { LaneAnswer, LaneApi } from './laneApi.ts'
import type { PricePublisher } from './pricePublisher.ts'
import type { Scenario, ScenarioStep } from './scenario.ts'
import { grouped, type Screen } from './screen.ts'
import { type Gateways, type Tally, tallyTotalMicro } from './submitting.ts'

export interface Play {
  readonly scenario: Scenario
  readonly node: L1Node
  readonly api: LaneApi
  readonly gateways: Gateways
  readonly tally: Tally
  readonly publisher: PricePublisher
  /** Closes the open batch, so that a step's records go to L1 in the step. */
  readonly closeBatch: () => Promise<void>
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
  const { scenario, screen, tally } = play
  const isShort = scenario.steps.length <= MOST_LINES
  for (const [index, step] of scenario.steps.entries()) {
    play.signal.throwIfAborted()
    await play.publisher.publishBefore(step.untilSeconds)
    await play.node.moveTo(step.untilSeconds + 1)
    if (step.discharges.length === 0) continue
    const before = { settled: tally.settled, ms: tally.submittingMs }
    const posted = await playStep(play, step)
    const rate = (1000 * step.discharges.length) / (tally.submittingMs - before.ms)
    const text = [
      isShort ? step.label : `${step.label} (${index + 1}/${scenario.steps.length})`,
      `${grouped(tally.settled - before.settled)} records at ${grouped(Math.round(rate))}/s`,
      posted === undefined ? 'nothing to post' : await describeBatch(play, posted),
      `$${dollars(tallyTotalMicro(tally))} credited in all`,
    ].join('  ')
    if (isShort) screen.event(text)
    else screen.status(text)
  }
  screen.endStatus()
}

async function describeBatch(play: Play, index: number): Promise<string> {
  const { records, header, transaction } = await play.api.batch(index)
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

/** The newest batch on L1 when the step's records are there; undefined when none of them was accepted. */
async function playStep(play: Play, step: ScenarioStep): Promise<number | undefined> {
  const { api, gateways, node } = play
  // Until the sequencer sees the step's end on L1, a record of it would be one from the future.
  await waitUntil(
    play,
    `the sequencer sees ${step.label}`,
    (lane) => lane.l1.seconds > step.untilSeconds && lane.accepting,
  )
  const before = await api.lane()
  await gateways.submit(step.discharges, play.signal)
  const after = await api.lane()
  if (after.accepted === before.accepted) return undefined
  await play.closeBatch()
  // L1 takes a batch only when its time has passed the batch's date.
  await node.moveTo(after.openBatch.asOf + 1)
  const posted = await waitUntil(
    play,
    `the records of ${step.label} are on L1`,
    (lane) => lane.openBatch.records === 0 && lane.postedIndex === lane.closedIndex,
  )
  return posted.postedIndex
}

/** Asks the sequencer until it says so. @throws BackfeedError DEVNET_STUCK with the sequencer's own reason */
async function waitUntil(play: Play, what: string, holds: (lane: LaneAnswer) => boolean): Promise<LaneAnswer> {
  const deadline = performance.now() + WAIT_TIMEOUT_MS
  for (;;) {
    play.signal.throwIfAborted()
    const fault = play.failed()
    if (fault !== undefined) throw fault
    const lane = await play.api.lane()
    if (holds(lane)) return lane
    if (performance.now() > deadline) {
      throw new BackfeedError('DEVNET_STUCK', `waited in vain until ${what}: ${await play.api.problems()}`)
    }
    await pause(15, play.signal)
  }
}
