import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TransactionReceipt, zeroHash } from 'viem'
import type { LaneDeriver } from '../../../l1/derive/laneDeriver.ts'
import type { DerivedBatch } from '../../../l1/derive/laneHistory.ts'
import type { BlockRef, Reorg } from '../../../l1/follow.ts'
import { BackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { Committer } from '../../../sequencer/commit/committer.ts'
import { openDatabase } from '../../../sequencer/store/database.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { until } from '../../support/until.ts'
import { NAME, OPERATOR } from '../localLane.ts'
import { closed, posted } from './batches.ts'

const block = (number: bigint): BlockRef => ({ number, hash: zeroHash, parentHash: zeroHash, timestamp: 1_500 })

/** A committer with one closed batch, an L1 that is told to it by hand, and transactions that the test answers. */
async function openCommitter() {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const database = await openDatabase(folder.path, { chainId: Number(NAME.chainId), rollup: NAME.rollup })
  opening.defer(() => database.close())
  const sends: PromiseWithResolvers<TransactionReceipt>[] = []
  const live: DerivedBatch[] = []
  const committer = new Committer({
    lane: 0,
    rollup: NAME.rollup,
    order: {
      lastClosed: 1,
      closedBatch: (index) => (index === 1 ? closed(1) : undefined),
      hold: () => {},
      setPosted: () => {},
      redate: async () => false,
      dropRoots: () => {},
      whole: async (batch) => batch,
    },
    deriver: { history: { live, fallen: [], tip: { headerHash: zeroHash } } } as unknown as LaneDeriver,
    transactions: {
      address: OPERATOR.address,
      send: () => {
        sends.push(Promise.withResolvers())
        return sends.at(-1)!.promise
      },
      cancel: () => {},
      records: () => [],
    },
    data: { prepare: async () => ({ kind: 'calldata', dataWords: [], data: new Uint8Array() }) },
    database,
    prepared: new Map(),
    holdsOurRecords: async () => true,
    insertForced: async () => 'notYet',
    redateMarginSeconds: 900,
    retryMs: 1,
    log: silentLogger(),
    onFinal: async () => {},
    onPosted: () => {},
    onFault: (error) => assert.fail(String(error)),
  })
  const look = (head: bigint, reorg?: Reorg) => committer.onL1({ head: block(head), final: block(1n), reorg }, [])
  const parts = opening.move()
  return { committer, sends, live, look, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a batch that is on L1 when its posting fails is no problem', async () => {
  await using opened = await openCommitter()
  const { committer, sends, live, look } = opened
  await look(11n)
  await until(() => sends.length === 1)
  live.push(posted(closed(1)))
  await look(12n)
  assert.equal(committer.posted, 1)
  sends[0]!.reject(new BackfeedError('L1_REVERTED', 'WrongIndex(expected: 2, given: 1)'))
  await turn()
  assert.equal(committer.problem, undefined)
  live.pop()
  await look(12n)
  await until(() => sends.length === 2)
  sends[1]!.reject(new BackfeedError('L1_REVERTED', 'not this time'))
  await turn()
  assert.match(committer.problem!, /posting batch 1 failed: .*not this time/)
})

test('a batch that was mined is not posted again while L1 is seen as it was before', async () => {
  await using opened = await openCommitter()
  const { committer, sends, live, look } = opened
  await look(11n)
  await until(() => sends.length === 1)
  sends[0]!.resolve({ blockNumber: 12n, transactionHash: zeroHash } as unknown as TransactionReceipt)
  await turn()
  await look(11n)
  await turn()
  live.push(posted(closed(1)))
  await look(12n)
  assert.equal(committer.posted, 1)
  assert.equal(sends.length, 1)
  // A reorganisation took it back, and the block that it was in.
  live.pop()
  await look(11n, { ancestor: undefined, abandonedHead: block(12n), brokeFinality: false })
  await until(() => sends.length === 2)
  sends[1]!.reject(new BackfeedError('TX_MANAGER_STOPPED', 'the end'))
})
