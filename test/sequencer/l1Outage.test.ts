import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outcome } from '../../protocol/outcome.ts'
import { startSequencer } from '../../sequencer/main.ts'
import { readResult } from '../../sequencer/submission.ts'
import { startAnvil } from '../support/anvil.ts'
import { type Answer, forward, refuse, startHostileNode } from '../support/hostileNode.ts'
import { openTestLane } from '../support/laneFixture.ts'
import { sequencerConfig } from '../support/sequencerFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'
import { until } from '../support/until.ts'

/** What it asks for at every new block. */
const METHODS = ['eth_call', 'eth_getLogs', 'eth_getBlockByNumber']
const FAULTS: Readonly<Record<string, Answer>> = {
  'hangs up': { kind: 'hangUp' },
  'is overloaded': { kind: 'garbage', status: 503, body: 'busy' },
  'answers with an error': refuse('internal error'),
}

test('whatever an L1 node fails at while the sequencer runs, it waits and goes on', async (t) => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  await using node = await startHostileNode(anvil.url)
  const lane = await openTestLane({ anvil })
  const config = sequencerConfig(lane, { folder: folder.path })
  const l1 = { ...config.l1, rpcUrl: node.url, retryCount: 0 }
  await using sequencer = await startSequencer({ ...config, l1 })
  let ended: unknown
  sequencer.done.then(
    () => (ended ??= 'stopped'),
    (error: unknown) => (ended ??= error),
  )
  for (const [name, fault] of Object.entries(FAULTS)) {
    await t.test(name, async () => {
      for (const method of METHODS) {
        const before = node.seen.get(method) ?? 0
        node.play((request) => (request.method === method ? fault : forward))
        await until(async () => {
          await anvil.mine()
          return ended !== undefined || (node.seen.get(method) ?? 0) >= before + 3
        })
        assert.equal(ended, undefined, `${method}: ${String(ended)}`)
      }
      node.play()
      const row = lane.fleet.sign(lane.fleet.next(0))
      await until(async () => {
        const answer = await sequencer.sink.submit({ lane: lane.lane, rows: row, count: 1 })
        return answer.refusal === undefined && readResult(answer.results, 0).code === Outcome.SETTLED
      })
    })
  }
})
