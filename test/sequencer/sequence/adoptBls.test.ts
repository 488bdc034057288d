import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitCalldata } from '../../../l1/derive/calldata.ts'
import { recordDomain } from '../../../protocol/domain.ts'
import { BLS_LAYOUT } from '../../../protocol/scheme.ts'
import { batchRowsOf } from '../../../sequencer/batch/batchRows.ts'
import { writeCalldata } from '../../../sequencer/batch/chunks.ts'
import type { ClosedBatch } from '../../../sequencer/closedBatch.ts'
import { adoptBatch } from '../../../sequencer/sequence/adopt.ts'
import { judgeAggregates } from '../../../sequencer/sequence/keptAggregates.ts'
import { settleBatch } from '../../../sequencer/settleBatch.ts'
import { LaneState } from '../../../protocol/laneState.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { ACTIVE_FROM, hex, localFleet, NAME, openLocalLane, sequence } from '../localLane.ts'
import { rootsOf } from '../support/roots.ts'

const ROWS = 70
const { rowBytes, headBytes } = BLS_LAYOUT
const domain = recordDomain(NAME)

/** A batch as a sequencer closed and built it, and as somebody without its journal reads it back from L1. */
async function posted() {
  const fleet = localFleet(6, BLS_LAYOUT)
  const rules = fleet.rules(ACTIVE_FROM)
  await using folder = await temporaryFolder()
  await using lane = await openLocalLane(folder.path, rules)
  await sequence(lane.stage, fleet.rows(ROWS))
  await lane.stage.closeBatch()
  const batch = lane.closed[0]!
  const built = await batchRowsOf({ journal: lane.journal, rules }, batch)
  const { data } = writeCalldata(built)
  const bodies = splitCalldata(BLS_LAYOUT, data, { chunkCount: 2, forcedChunks: 0 }).map((piece) => piece.subarray(31))
  const rows = built.rows.slice()
  for (let row = 0; row < ROWS; row++) rows.fill(0, row * rowBytes + 24, (row + 1) * rowBytes)
  const aggregates = Buffer.concat(bodies.map((body) => body.subarray(0, headBytes)))
  return { rules, batch, data, rows, aggregates }
}

function adopted({ batch, rows, aggregates, rules }: Awaited<ReturnType<typeof posted>>, from: ClosedBatch = batch) {
  const { asOf, postRoot } = from
  return {
    asOf,
    l1Block: 7n,
    postRoot,
    preRoots: rootsOf(from),
    forced: [],
    rows,
    rowCount: ROWS,
    aggregates,
    verdicts: judgeAggregates({ rules, domain }, { rows, rowCount: ROWS, aggregates, asOf }),
    submittedAt: asOf + 1,
  }
}

test('a BLS batch rebuilt from L1 is the same batch, byte for byte; also after a restart and when it is dated anew', async () => {
  const given = await posted()
  const { rules, batch, data } = given
  await using folder = await temporaryFolder()
  {
    await using lane = await openLocalLane(folder.path, rules)
    assert.equal(
      await adoptBatch({ book: lane.stage.book, journal: lane.journal, index: lane.index }, adopted(given)),
      true,
    )
    const again = lane.stage.closedBatch(1)!
    assert.equal(hex(again.postRoot), hex(batch.postRoot))
    assert.equal(hex(writeCalldata(await batchRowsOf({ journal: lane.journal, rules }, again)).data), hex(data))
  }
  {
    await using lane = await openLocalLane(folder.path, rules)
    const again = lane.stage.closedBatch(1)!
    assert.equal(hex(again.postRoot), hex(batch.postRoot))
    await settleBatch(new LaneState(), rules, lane.journal, again)
    lane.clock.seconds += 600
    lane.view.finalTime += 600
    assert.equal(await lane.stage.redate(1), true)
    const later = lane.stage.closedBatch(1)!
    assert.ok(later.asOf > batch.asOf)
    assert.equal(hex(later.postRoot), hex(batch.postRoot))
    assert.equal(hex(writeCalldata(await batchRowsOf({ journal: lane.journal, rules }, later)).data), hex(data))
    await settleBatch(new LaneState(), rules, lane.journal, later)
  }
})

test('a sum that is wrong fails its chunk alone, and then the root that L1 holds is not ours', async () => {
  const given = await posted()
  const aggregates = Buffer.concat([given.aggregates.subarray(headBytes), given.aggregates.subarray(headBytes)])
  const { rules, rows, batch } = given
  const verdicts = judgeAggregates({ rules, domain }, { rows, rowCount: ROWS, aggregates, asOf: batch.asOf })
  const good = Array.from({ length: ROWS }, (_, row) => (verdicts[row >>> 3]! >>> (row & 7)) & 1)
  assert.deepEqual(good, [...Array(64).fill(0), ...Array(6).fill(1)])
  await using folder = await temporaryFolder()
  await using lane = await openLocalLane(folder.path, rules)
  assert.equal(
    await adoptBatch(
      { book: lane.stage.book, journal: lane.journal, index: lane.index },
      adopted({ ...given, aggregates }),
    ),
    false,
  )
  assert.equal(lane.journal.length, 0)
})

test('a sum may mean something else by another date: its rows are judged anew', async () => {
  const given = await posted()
  const { rules, rows, aggregates, batch } = given
  const judge = (asOf: number): boolean =>
    judgeAggregates({ rules, domain }, { rows, rowCount: ROWS, aggregates, asOf }).some((byte) => byte !== 0)
  assert.equal(judge(batch.asOf), true)
  rules.evses.activeFrom[2] = batch.asOf + 1 // by that date five chargers' signatures are asked for, not six
  assert.equal(judge(batch.asOf), false)
})
