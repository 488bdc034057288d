import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { freePort } from '../../devnet/freePort.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { Supervised } from '../simulation/supervisor.ts'
import { type Anvil, startAnvil } from '../support/anvil.ts'
import { type Acknowledged, assertKept, type FeedTarget, feed } from '../support/feed.ts'
import { withSeed } from '../support/generators/random.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { readLane } from '../support/laneOnL1.ts'
import { byNight } from '../support/nightly.ts'
import { verifierOf } from '../support/receipts.ts'
import { sequencerSettings } from '../support/sequencerFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'
import { untilWithin } from '../support/until.ts'

const KILLS = Number(process.env.KILLS ?? (byNight === false ? 12 : 3))
const SENDERS = 3
/** On a machine so busy that no batch is posted meanwhile, the node writes to its disk again. */
const MAX_LOST_BLOCKS = 8
/** More than are lost. */
const FINAL_DEPTH = 24
const SERVICES = {
  sequencer: fileURLToPath(new URL('../support/sequencerProcess.ts', import.meta.url)),
  prover: fileURLToPath(new URL('../support/proverProcess.ts', import.meta.url)),
}
const until = untilWithin(180)

/** A node that is killed, and started on the same port from what it had on disk: what came since is lost, and comes back as another chain. */
class MortalNode implements AsyncDisposable {
  readonly #folder: string
  #anvil: Anvil
  #saved = { state: '', seconds: 0, block: 0 }
  lostBlocks = 0

  constructor(anvil: Anvil, folder: string) {
    this.#anvil = anvil
    this.#folder = folder
  }

  async run(): Promise<void> {
    await this.#anvil.setAutomine(false)
    await this.#anvil.rpc('evm_setIntervalMining', [1])
  }

  async save(): Promise<void> {
    const block = Number(await this.#anvil.rpc('eth_blockNumber'))
    const packed = await this.#anvil.rpc<string>('anvil_dumpState')
    const state = gunzipSync(Buffer.from(packed.slice(2), 'hex')).toString('utf8')
    this.#saved = { state, seconds: await this.#anvil.now(), block }
  }

  async blocksSinceSaved(): Promise<number> {
    return Number(await this.#anvil.rpc('eth_blockNumber')) - this.#saved.block
  }

  async killAndRestart(downMs: number): Promise<void> {
    const { port } = this.#anvil
    const { state, seconds } = this.#saved
    this.lostBlocks += await this.blocksSinceSaved()
    await this.#anvil.kill()
    await sleep(downMs)
    const file = join(this.#folder, 'l1.json')
    writeFileSync(file, state)
    this.#anvil = await startAnvil({ port, args: ['--load-state', file] })
    // A node that starts takes the machine's clock, which this chain left long ago.
    await this.#anvil.setAutomine(false)
    await this.#anvil.warpTo(seconds + 1)
    // It gives contracts no hashes of blocks from before its start, and a batch pins one as deep as is final.
    await this.#anvil.mine(FINAL_DEPTH + 2)
    await this.run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#anvil.stop()
  }
}

test(`nothing acknowledged is lost when the L1 node is killed ${KILLS} times under load`, {
  timeout: 400_000 + KILLS * 60_000,
}, async () => {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const anvil = await startAnvil({ port: await freePort() })
  const node = stack.use(new MortalNode(anvil, folder.path))
  const lane = await openTestLane({ anvil, evses: SENDERS * 2, periodsBehind: 100 })
  await anvil.mine(FINAL_DEPTH + 10)
  await node.run()

  const finality = { kind: 'depth', blocks: FINAL_DEPTH }
  const l1 = { rpcUrl: anvil.url, retryCount: 0, timeoutMs: 5_000 }
  const batch = { asOfAheadSeconds: 2, maxAgeSeconds: 1 }
  const dataDir = join(folder.path, 'prover')
  mkdirSync(dataDir)
  const settings = {
    sequencer: {
      ...sequencerSettings(lane, { folder: folder.path, batch }),
      l1: { ...l1, pollMs: 50 },
      transactions: { finality, pollMs: 50, stuckMs: 1_500, rebroadcastMs: 500, lowBalanceEther: 0 },
    },
    prover: {
      l1,
      contracts: lane.contracts,
      prover: { dataDir, follow: { kind: 'depth', blocks: 1 }, pollMs: 100, retryMs: 200, workers: 1 },
      http: { port: 0 },
      log: { level: 'silent' },
    },
  }
  const service = (name: keyof typeof SERVICES): Supervised<{ url: string }> => {
    const file = join(folder.path, `${name}.json`)
    writeFileSync(file, JSON.stringify(settings[name]))
    const started = stack.use(new Supervised<{ url: string }>({ name, script: SERVICES[name], args: [file] }))
    started.start()
    return started
  }
  const sequencer = service('sequencer')
  const prover = service('prover')
  await sequencer.up()

  const acknowledged = new Map<string, Acknowledged>()
  await withSeed('test/e2e/l1Kill.test.ts', async (random) => {
    const target: FeedTarget = {
      get url() {
        return sequencer.told?.url
      },
    }
    const done = new AbortController()
    // A charger knows the time without L1; here L1's is asked for, until it answers.
    const verifier = async (): ReturnType<typeof verifierOf> => {
      for (;;) {
        try {
          return await verifierOf(lane)
        } catch {
          await sleep(50)
        }
      }
    }
    const senders = Array.from({ length: SENDERS }, (_, i) =>
      feed({
        fleet: lane.fleet,
        lane: lane.lane,
        verifier,
        evses: [2 * i, 2 * i + 1],
        target,
        acknowledged,
        pauseMs: 10,
        done: done.signal,
      }),
    )
    const running = Promise.all(senders)
    running.catch(() => done.abort())
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await node.save()
        let tip = await tipOf(lane)
        // A batch that L1 had taken is lost with it.
        await until('a batch is posted', async () => {
          done.signal.throwIfAborted()
          if ((await node.blocksSinceSaved()) > MAX_LOST_BLOCKS) {
            await node.save()
            tip = await tipOf(lane)
          }
          return (await tipOf(lane)) > tip
        })
        await sleep(random.int(0, 500), undefined, { signal: done.signal })
        await node.killAndRestart(random.int(0, 800))
        for (const { fault } of [sequencer, prover]) if (fault !== undefined) throw fault
      }
      const before = acknowledged.size
      await until('records are taken again', () => acknowledged.size > before)
    } finally {
      done.abort()
    }
    await running
  })

  await until('L1 has every batch, and the prover has found it right', async () => {
    const [said, checked] = await Promise.all([
      read<LaneSaid>(`${(await sequencer.up()).url}/v1/lanes/${lane.lane}`),
      read<ProverSaid>(`${(await prover.up()).url}/status`),
    ])
    const { closedIndex, postedIndex, openBatch } = said
    const isPosted = postedIndex === closedIndex && openBatch.records === 0
    return isPosted && checked.problems.length === 0 && Number(checked.lanes[0]?.checkedIndex) === postedIndex
  })
  const onL1 = await readLane(lane)
  assertKept(acknowledged, onL1)
  assert.ok(node.lostBlocks >= KILLS, 'a block was lost each time')
  assert.ok(acknowledged.size > 10 * KILLS, `only ${acknowledged.size} records were acknowledged`)
  await sequencer.stop()
  await prover.stop()
  const { gaveUp } = sequencer
  const [rows, batches] = [onL1.rows.length, onL1.batches.length]
  console.log({ acknowledged: acknowledged.size, rows, batches, kills: KILLS, lostBlocks: node.lostBlocks, gaveUp })
})

interface LaneSaid {
  readonly closedIndex: number
  readonly postedIndex: number
  readonly openBatch: { readonly records: number }
}

interface ProverSaid {
  readonly lanes: readonly { readonly checkedIndex: string }[]
  readonly problems: readonly unknown[]
}

async function tipOf({ client, contracts, lane }: TestLane): Promise<bigint> {
  const args = [lane] as const
  const { tip } = await client.readContract({ address: contracts.rollup, abi: rollupAbi, functionName: 'lane', args })
  return tip
}

async function read<T>(url: string): Promise<T> {
  const answer = await fetch(url)
  return (await answer.json()) as T
}
