import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connectL1, type L1Client, l1ConfigSchema } from '../../l1/client.ts'
import type { Finality } from '../../l1/finality.ts'
import { L1Follower, type L1Update } from '../../l1/follow.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { silentLogger } from '../../runtime/log.ts'
import { type Anvil, startAnvil } from '../support/anvil.ts'
import { until } from '../support/until.ts'

let anvil: Anvil
let client: L1Client
before(async () => {
  anvil = await startAnvil()
  client = await connectL1(l1ConfigSchema.parse({ rpcUrl: anvil.url }))
})
after(() => anvil.stop())

async function following(finality: Finality) {
  const follower = new L1Follower({ client, finality, pollMs: 20, log: silentLogger() })
  const updates: L1Update[] = []
  let wake: (() => void) | undefined
  follower.onUpdate((update) => {
    updates.push(update)
    wake?.()
  })
  await follower.start({ fail: (error) => assert.fail(String(error)) })
  const until = async (condition: (update: L1Update) => boolean): Promise<L1Update> => {
    for (let looked = 0; ; looked++) {
      while (looked >= updates.length) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      if (condition(updates[looked]!)) return updates[looked]!
    }
  }
  return { follower, updates, until, [Symbol.asyncDispose]: () => follower.stop() }
}

test('head and final move on, final by depth', async () => {
  await anvil.mine(5)
  await using given = await following({ kind: 'depth', blocks: 2 })
  const start = given.follower.head.number
  assert.equal(given.follower.final.number, start - 2n)
  await anvil.mine(3)
  const update = await given.until((seen) => seen.head.number === start + 3n)
  assert.equal(update.final.number, start + 1n)
  assert.equal(update.reorg, undefined)
  const block = await client.getBlock({ blockNumber: update.final.number })
  assert.equal(update.final.hash, block.hash)
})

test('a reorganisation is reported with the newest block that both chains share', async () => {
  await anvil.mine(2)
  await using given = await following({ kind: 'depth', blocks: 10 })
  const shared = given.follower.head
  await anvil.mine(1)
  await given.until((seen) => seen.head.number === shared.number + 1n)
  await anvil.mine(1)
  const abandoned = await given.until((seen) => seen.head.number === shared.number + 2n)
  await anvil.reorg(2)
  const { reorg } = await given.until((seen) => seen.reorg !== undefined)
  assert.equal(reorg?.ancestor?.hash, shared.hash)
  assert.equal(reorg?.abandonedHead.hash, abandoned.head.hash)
  assert.equal(reorg?.brokeFinality, false)
  await anvil.mine(1)
  const next = await given.until((seen) => seen.head.number === shared.number + 3n)
  assert.equal(next.reorg, undefined)
})

test('a reorganisation below what was held final says so', async () => {
  await anvil.mine(3)
  await using given = await following({ kind: 'depth', blocks: 1 })
  await anvil.mine(1)
  await given.until((seen) => seen.final.number >= given.updates[0]!.head.number)
  await anvil.reorg(3)
  const update = await given.until((seen) => seen.reorg !== undefined)
  assert.equal(update.reorg?.brokeFinality, true)
  const block = await client.getBlock({ blockNumber: update.final.number })
  assert.equal(update.final.hash, block.hash)
})

test('whoever asks for the final block while a reorganisation below it is looked into gets an answer', async () => {
  await anvil.mine(5)
  let follower: L1Follower | undefined
  let asked = 0
  const ask = (): void => {
    if (follower === undefined) return
    asked++
    assert.ok(follower.final.number <= follower.head.number)
  }
  const getBlock = async (parameters: Parameters<L1Client['getBlock']>[0]) => {
    ask()
    const block = await client.getBlock(parameters)
    ask()
    return block
  }
  const faults: unknown[] = []
  const watched = { ...client, getBlock } as unknown as L1Client
  const made = new L1Follower({
    client: watched,
    finality: { kind: 'depth', blocks: 1 },
    pollMs: 20,
    log: silentLogger(),
  })
  let update: L1Update | undefined
  made.onUpdate((seen) => {
    if (seen.reorg?.brokeFinality === true) update = seen
  })
  await made.start({ fail: (error) => faults.push(error) })
  follower = made
  await anvil.reorg(4)
  await until(() => update !== undefined || faults.length > 0)
  await made.stop()
  assert.deepEqual(faults, [])
  assert.ok(asked > 4)
  assert.equal((await client.getBlock({ blockNumber: update!.final.number })).hash, update!.final.hash)
})

test('an update comes again to a listener that could not handle it, with its reorganisation', async () => {
  await anvil.mine(2)
  await using given = await following({ kind: 'depth', blocks: 8 })
  let attempts = 0
  const handled = new Promise<void>((resolve) => {
    given.follower.onUpdate((update) => {
      if (update.reorg === undefined) return
      if (attempts++ === 0) throw new BackfeedError('BUSY', 'later', { retryable: true })
      resolve()
    })
  })
  await anvil.reorg(1)
  await handled
  assert.equal(attempts, 2)
  const reported = given.updates.filter((update) => update.reorg !== undefined)
  assert.equal(reported.length, 2)
  assert.deepEqual(reported[0], reported[1])
})
