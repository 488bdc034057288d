import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Hex } from 'viem'
import { Supervised } from '../simulation/supervisor.ts'
import { type Anvil, anvilAccount, anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { acceptedProofs } from '../support/evil/expectCaught.ts'
import { PROVER_ACCOUNT } from '../support/evil/testProver.ts'
import { withSeed } from '../support/generators/random.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { byNight } from '../support/nightly.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'
import { untilWithin } from '../support/until.ts'

/** Beside one while it follows and four at places of its way to a proof: at any time on its way to another. */
const KILLS = Number(process.env.KILLS ?? (byNight === false ? 20 : 3))
const PROVER = fileURLToPath(new URL('../support/proverProcess.ts', import.meta.url))
const address = anvilAccount(PROVER_ACCOUNT).address
const flip = (root: Uint8Array): Uint8Array => root.with(30, root[30]! ^ 1) as Uint8Array
const until = untilWithin(180)

test(`a prover that is killed while it follows, commits and proves, proves each fraud once`, {
  timeout: 300_000 + KILLS * 60_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil })
  const evil = new EvilLane(lane)
  const dataDir = join(folder.path, 'prover')
  const bodies = (): Uint8Array[] => [lane.fleet.rows(22), lane.fleet.rows(7)]
  const lie = async (): Promise<bigint> => {
    const tip = await evil.tip()
    await evil.postLie({ bodies: bodies(), lie: { name: 'root', chunk: 1, claim: flip } }, 'calldata')
    return tip
  }
  await using prover = new Supervised<{ url: string }>({
    name: 'prover',
    script: PROVER,
    args: [settingsFile(lane, folder.path, dataDir)],
  })
  let kills = 0
  const kill = async (): Promise<void> => {
    await prover.kill()
    kills++
  }
  const caughtUp = async (): Promise<void> => {
    const { url } = await prover.up()
    const tip = Number(await evil.tip())
    await until('the prover has checked the lane', async () => {
      const { lanes, problems } = (await (await fetch(`${url}/status`)).json()) as Status
      return problems.length === 0 && Number(lanes[0]?.checkedIndex) === tip
    })
  }

  await withSeed('test/e2e/proverKill.test.ts', async (random) => {
    prover.start()
    await prover.up()
    await evil.postHonest(bodies(), 'calldata')
    await sleep(random.int(0, 300))
    await kill()
    prover.start()
    await caughtUp()
    assert.equal(await transactionsOf(anvil), 0)
    await kill()

    // Blocks come when told, so that it is killed at each place of the way: nothing sent, committed in the pool, in a block, proven in the pool.
    const tip = await lie()
    await anvil.setAutomine(false)
    await anvil.mine(2)
    prover.start()
    await until('a case is open', () => casesIn(dataDir).length > 0)
    await kill()
    prover.start()
    await until('the commitment is in the pool', async () => (await transactionsOf(anvil, 'pending')) === 1)
    await kill()
    prover.start()
    await prover.up()
    await sleep(random.int(0, 300))
    await kill()
    await anvil.mine(1)
    prover.start()
    await until('the proof is in the pool', async () => (await transactionsOf(anvil, 'pending')) === 2)
    await kill()
    await anvil.mine(1)
    assert.equal(await evil.tip(), tip)
    prover.start()
    await anvil.mine(2)
    await caughtUp()
    assert.equal((await acceptedProofs(lane)).length, 1)
    assert.equal(await transactionsOf(anvil), 2, 'one commitment and one proof')

    // Another one, killed at any time.
    await anvil.setAutomine(true)
    await evil.bondAgain()
    await evil.postHonest(bodies(), 'calldata')
    const next = await lie()
    await anvil.rpc('evm_setIntervalMining', [1])
    for (let i = 0; i < KILLS; i++) {
      await sleep(random.int(0, 400))
      if (random.chance(0.7)) await prover.up()
      await sleep(random.int(0, 400))
      await kill()
      prover.start()
    }
    await until('the lie has fallen', async () => (await evil.tip()) === next)
    await caughtUp()
    assert.equal((await acceptedProofs(lane)).length, 2)
    assert.equal(await transactionsOf(anvil), 4, 'one commitment and one proof of each')
    await anvil.rpc('evm_setIntervalMining', [0])
    await anvil.setAutomine(true)
    await evil.bondAgain()
    await evil.postHonest(bodies(), 'calldata')
    await caughtUp()
    await prover.stop()
    prover.start()
    await caughtUp()
    await prover.stop()
    console.log({ kills, starts: prover.starts, tip: await evil.tip() })
  })
  assert.equal(prover.fault, undefined)
})

interface Status {
  readonly lanes: readonly { readonly checkedIndex: string | number }[]
  readonly problems: readonly unknown[]
}

function settingsFile(lane: TestLane, folder: string, dataDir: string): string {
  mkdirSync(dataDir)
  const keyFile = join(folder, 'prover.key')
  writeFileSync(keyFile, anvilPrivateKey(PROVER_ACCOUNT), { mode: 0o600 })
  const settings = {
    l1: { rpcUrl: lane.anvil.url, retryCount: 0 },
    contracts: lane.contracts,
    prover: { dataDir, keyFile, follow: { kind: 'depth', blocks: 0 }, pollMs: 50, retryMs: 100, workers: 1 },
    transactions: { finality: { kind: 'depth', blocks: 1 }, pollMs: 50, rebroadcastMs: 500, lowBalanceEther: 0 },
    http: { port: 0 },
    log: { level: process.env.TEST_LOG ?? 'silent' },
  }
  const file = join(folder, 'prover.json')
  writeFileSync(file, JSON.stringify(settings))
  return file
}

function casesIn(dataDir: string): string[] {
  const folder = join(dataDir, 'cases')
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : []
}

/** What the prover ever sent; `pending`: what waits in the pool too. */
async function transactionsOf(anvil: Anvil, at: 'latest' | 'pending' = 'latest'): Promise<number> {
  return Number(await anvil.rpc<Hex>('eth_getTransactionCount', [address, at]))
}
