import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DerivedBatch } from '../../../l1/derive/laneHistory.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { openWebhooks } from '../../../runtime/webhooks/webhooks.ts'
import { decodeJson } from '../../../runtime/webhooks/webhookStore.ts'
import type { ClosedBatch } from '../../../sequencer/closedBatch.ts'
import { NOTHING_FORCED } from '../../../sequencer/forced.ts'
import { MAX_QUEUED_BATCH_EVENTS } from '../../../sequencer/limits.ts'
import { batchWebhooksSchema } from '../../../sequencer/webhookConfig.ts'
import { BatchTeller, type ToldLane } from '../../../sequencer/webhooks/batchTeller.ts'
import type { BatchData, RevertedData } from '../../../sequencer/webhooks/events.ts'
import { CrashingDisk } from '../../evse/metering/crashingStore.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { secretFile } from '../../support/webhookReceiver.ts'

const DEPLOYMENT = { chainId: 31_337, rollup: '0xaa' }
const hash = (n: number): `0x${string}` => `0x${n.toString(16).padStart(64, '0')}`

/** Batch `index` has ten records of 100 Wh for 5 micro each, and every third takes a forced one. */
function closed(index: number): ClosedBatch | undefined {
  if (index < 1) return undefined
  const count = 10 * index + Math.floor(index / 3)
  const totals = { count, energyWh: 100 * count, spentMicro: BigInt(5 * count), position: 10 * index }
  const forced = { ...NOTHING_FORCED, entries: index % 3 === 0 ? [{}] : [] }
  return { lane: 7, index, rowCount: 10, firstPosition: 10 * (index - 1), forced, totals } as unknown as ClosedBatch
}

const onL1 = (header: number, block: number): DerivedBatch =>
  ({
    headerHash: hash(header),
    submittedAt: 1_900_000_000 + block,
    place: { blockNumber: BigInt(block), blockHash: hash(block), txHash: hash(1_000 + block) },
  }) as unknown as DerivedBatch

function lane(batches: readonly OnL1[], final = 0, proven: readonly number[] = []): ToldLane {
  return {
    lane: 7,
    posted: batches.length,
    final,
    batch: (index) => batches[index - 1] && onL1(...batches[index - 1]!),
    closed,
    isProven: (headerHash) => proven.some((header) => hash(header) === headerHash),
  }
}

async function open(disk: CrashingDisk, secret: string, crashAt = 0, isWritten = false) {
  const store = disk.boot(crashAt, isWritten)
  const configs = batchWebhooksSchema.parse([
    { name: 'clearing', url: 'http://127.0.0.1:1/', secretFiles: [secret], startAt: 'first' },
  ])
  const log = silentLogger()
  const metrics = createMetrics({ service: 'test', process: false })
  const webhooks = await openWebhooks({ webhooks: configs, store, log, metrics })
  const teller = new BatchTeller({ configs, deployment: DEPLOYMENT, webhooks, store, log })
  await teller.load()
  return { store, teller }
}

function queued(disk: CrashingDisk): { id: string; type: string; data: BatchData & Partial<RevertedData> }[] {
  const keys = [...disk.values.keys()].filter((key) => key.startsWith('hook/q/')).sort()
  return keys.map((key) => {
    const { body } = decodeJson<{ body: string }>(disk.values.get(key)!)!
    return JSON.parse(body) as ReturnType<typeof queued>[number]
  })
}

type OnL1 = readonly [header: number, block: number]
const FIRST: OnL1 = [1, 1]
const SECOND: OnL1 = [2, 12]
const THIRD: OnL1 = [23, 23]
const FOURTH: OnL1 = [4, 40]

const LIFE: readonly ToldLane[] = [
  lane([FIRST]),
  lane([FIRST, [2, 2], [3, 3]]),
  // The last two come back in other blocks, the third with another header.
  lane([FIRST, SECOND, [13, 13]], 1),
  // The third is proven false, and posted anew.
  lane([FIRST, SECOND], 1, [13]),
  lane([FIRST, SECOND, THIRD], 3, [13]),
  // The fourth goes, and comes back where it was.
  lane([FIRST, SECOND, THIRD, FOURTH], 3, [13]),
  lane([FIRST, SECOND, THIRD], 3, [13]),
  lane([FIRST, SECOND, THIRD, FOURTH], 3, [13]),
]

const TOLD = [
  'posted 1',
  'posted 2',
  'posted 3',
  'reverted 3 REORGANISED',
  'reverted 2 REORGANISED',
  'final 1',
  'posted 2',
  'posted 3',
  'reverted 3 PROVEN_FALSE',
  'final 2',
  'posted 3',
  'final 3',
  'posted 4',
  'reverted 4 REORGANISED',
  'posted 4',
]

test('a lane is told as it goes, also when the process dies at any write, before or after it', async () => {
  await using folder = await temporaryFolder()
  const secret = secretFile(folder.path)
  const run = async (crashAt: number, isWritten: boolean): Promise<CrashingDisk> => {
    const disk = new CrashingDisk()
    let running = await open(disk, secret, crashAt, isWritten)
    for (const seen of LIFE) {
      await running.teller.look(seen)
      if (!running.store.isDead) continue
      running = await open(disk, secret)
      await running.teller.look(seen)
    }
    return disk
  }
  const whole = await run(0, false)
  const words = (disk: CrashingDisk): string[] =>
    queued(disk).map(({ type, data }) => [type.split('.')[1], data.batch, data.reason].filter(Boolean).join(' '))
  assert.deepEqual(words(whole), TOLD)
  const events = queued(whole)
  assert.equal(new Set(events.map(({ id }) => id)).size, TOLD.length, 'each telling is an event of its own')
  const third = events.at(-4)!.data
  assert.deepEqual(
    [third.records, third.forcedRecords, third.settledRecords, third.energyWh, third.creditedMicro, third.headerHash],
    [10, 1, 11, 1_100, '55', hash(23)],
  )
  assert.ok(whole.writes >= TOLD.length)
  for (let crashAt = 1; crashAt <= whole.writes; crashAt++) {
    for (const isWritten of [false, true]) {
      const disk = await run(crashAt, isWritten)
      assert.deepEqual(
        queued(disk).map(({ id, data }) => [id, data]),
        events.map(({ id, data }) => [id, data]),
        `killed at write ${crashAt}, ${isWritten ? 'after' : 'before'}`,
      )
    }
  }
})

test('a receiver that is away stops its cursor: little is queued, and nothing is passed over', async () => {
  await using folder = await temporaryFolder()
  const disk = new CrashingDisk()
  const { teller } = await open(disk, secretFile(folder.path))
  const batches = Array.from({ length: 200 }, (_, i) => [i + 1, i + 1] as const)
  await teller.look(lane(batches))
  assert.equal(queued(disk).length, MAX_QUEUED_BATCH_EVENTS)
  assert.deepEqual(teller.status(), [
    { webhook: 'clearing', lane: 7, toldPosted: MAX_QUEUED_BATCH_EVENTS, toldFinal: 0 },
  ])
  // It came back, and took all there was.
  for (const key of [...disk.values.keys()]) if (key.startsWith('hook/q/')) disk.values.delete(key)
  const { teller: later } = await open(disk, secretFile(folder.path))
  await later.look(lane(batches))
  assert.equal(queued(disk)[0]!.data.batch, MAX_QUEUED_BATCH_EVENTS + 1)
})
