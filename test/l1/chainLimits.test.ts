import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChainLimitsView } from '../../l1/chainLimits.ts'
import { connectL1, l1ConfigSchema } from '../../l1/client.ts'
import { startAnvil } from '../support/anvil.ts'
import { forward, refuse, startHostileNode } from '../support/hostileNode.ts'

const schedule = (max: unknown) => ({ kind: 'result' as const, result: { current: { blobSchedule: { max } } } })

test('limits of blobs are those of the node, are looked at again each minute, and stay what they were when it tells none', async () => {
  await using anvil = await startAnvil()
  await using node = await startHostileNode(anvil.url)
  const client = await connectL1(l1ConfigSchema.parse({ rpcUrl: node.url, retryCount: 0 }))
  let ms = 0
  const view = new ChainLimitsView(client, () => ms)
  const told: [number, number][] = []
  const look = async (): Promise<void> => {
    await view.look()
    told.push([view.current.maxBlobsPerTransaction, view.current.maxBlobsPerBlock])
  }
  await look()
  for (const answer of [schedule(3), schedule('many'), schedule(0), refuse('no such method'), schedule(21), forward]) {
    node.play(({ method }) => (method === 'eth_config' ? answer : forward))
    ms += 30_000
    await look() // too soon: not asked
    ms += 30_000
    await look()
  }
  const real = told[0]!
  assert.ok(real[0] >= 1 && real[0] <= 6)
  const [three, most] = [
    [3, 3],
    [6, 21],
  ] as const
  assert.deepEqual(told.slice(1), [real, three, three, three, three, three, three, three, three, most, most, real])
  assert.equal(node.seen.get('eth_config'), 7)
})
