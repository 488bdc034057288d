import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Hex } from 'viem'
import { freePort } from '../../devnet/freePort.ts'
import { type Anvil, anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { PROVER_ACCOUNT } from '../support/evil/testProver.ts'
import { type HostileNode, startHostileNode } from '../support/hostileNode.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { sequencerSettings } from '../support/sequencerFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'
import { type SimulatedBeacon, startBeacon } from './beacon.ts'
import { CHARGERS, MAX_REORG, type Plan } from './plan.ts'
import { Supervised } from './supervisor.ts'

/** What no reorganisation of a plan reaches is final. */
export const FINAL_DEPTH = MAX_REORG + 6

const SEQUENCER = fileURLToPath(new URL('../support/sequencerProcess.ts', import.meta.url))
const PROVER = fileURLToPath(new URL('../support/proverProcess.ts', import.meta.url))

/** Everything of one run: an L1 node, what stands in front of it, a lane, and the services as processes of their own. */
export interface World extends AsyncDisposable {
  readonly lane: TestLane
  /** In front of the L1 node, for the sequencer. The prover sees the node itself. */
  readonly node: HostileNode
  readonly beacon: SimulatedBeacon
  readonly sequencer: Supervised<{ url: string; adminUrl: string }>
  readonly prover: Supervised<{ url: string }>
  readonly bondWei: bigint
  readonly fundedMicro: bigint
  anvil(): Anvil
  /** Blocks that a reorganisation can take away: a node that was restarted does not know what was before them. */
  reorgable(): Promise<number>
  /** Ends the node and starts it from what it saved, on the same port. */
  restartL1(): Promise<void>
  /** Blocks come by themselves, or only when told. */
  mining(on: boolean): Promise<void>
}

const FUNDED_MICRO = 10n ** 12n

export async function openWorld(plan: Plan): Promise<World> {
  const stack = new AsyncDisposableStack()
  try {
    const folder = stack.use(await temporaryFolder())
    const state = join(folder.path, 'l1.json')
    const port = await freePort()
    let anvil = await startAnvil({ port, args: ['--dump-state', state] })
    stack.defer(() => anvil.stop())
    const node = stack.use(await startHostileNode(anvil.url))
    const beacon = stack.use(await startBeacon(anvil.url))
    const lane = await openTestLane({
      anvil,
      evses: CHARGERS + 1,
      seed: plan.seed,
      periodsBehind: 100,
      fundedMicro: FUNDED_MICRO,
    })
    // Nothing that settlement needs lies where a reorganisation reaches.
    await anvil.mine(FINAL_DEPTH + 10)
    await anvil.setAutomine(false)
    const mining = (on: boolean): Promise<void> => anvil.rpc('evm_setIntervalMining', [on ? 1 : 0])
    await mining(true)

    const files = { sequencer: join(folder.path, 'sequencer.json'), prover: join(folder.path, 'prover.json') }
    writeFileSync(files.sequencer, JSON.stringify(sequencerOf(lane, { plan, folder: folder.path, node, beacon })))
    writeFileSync(files.prover, JSON.stringify(proverOf(lane, { folder: folder.path, beacon })))
    const sequencer = stack.use(
      new Supervised<{ url: string; adminUrl: string }>({
        name: 'sequencer',
        script: SEQUENCER,
        args: [files.sequencer],
      }),
    )
    const prover = stack.use(
      new Supervised<{ url: string }>({
        name: 'prover',
        script: PROVER,
        args: [files.prover],
      }),
    )
    let restartedAt = 0
    const headNumber = async (): Promise<number> => Number(await anvil.rpc<Hex>('eth_blockNumber'))
    const restartL1 = async (): Promise<void> => {
      await mining(false)
      await beacon.keep()
      const seconds = await anvil.now()
      await anvil.stop()
      anvil = await startAnvil({ port, args: ['--load-state', state, '--dump-state', state] })
      await anvil.setAutomine(false)
      // A node that starts takes the machine's clock, which this chain left long ago.
      await anvil.warpTo(seconds + 1)
      restartedAt = await headNumber()
      await mining(true)
    }
    const owned = stack.move()
    return {
      lane,
      node,
      beacon,
      sequencer,
      prover,
      bondWei: 20n * 10n ** 18n,
      fundedMicro: FUNDED_MICRO,
      anvil: () => anvil,
      reorgable: async () => (await headNumber()) - restartedAt,
      restartL1,
      mining,
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

const FINALITY = { kind: 'depth', blocks: FINAL_DEPTH } as const

function sequencerOf(
  lane: TestLane,
  of: { plan: Plan; folder: string; node: HostileNode; beacon: SimulatedBeacon },
): Record<string, unknown> {
  const batch = { asOfAheadSeconds: 2, maxAgeSeconds: 1 }
  const settings = sequencerSettings(lane, { folder: of.folder, data: of.plan.data, batch })
  return {
    ...settings,
    l1: {
      rpcUrl: of.node.url,
      pollMs: 50,
      timeoutMs: 5_000,
      retryCount: 0,
      beacon: [{ url: of.beacon.url, blockId: 'number' }],
    },
    transactions: {
      finality: FINALITY,
      pollMs: 50,
      stuckMs: 1_500,
      rebroadcastMs: 500,
      lowBalanceEther: 0,
    },
    // Snapshots as often as a short run can have them.
    store: { snapshotRows: 150 },
  }
}

function proverOf(lane: TestLane, of: { folder: string; beacon: SimulatedBeacon }): Record<string, unknown> {
  const dataDir = join(of.folder, 'prover')
  mkdirSync(dataDir)
  const keyFile = join(of.folder, 'prover.key')
  const key: Hex = anvilPrivateKey(PROVER_ACCOUNT)
  writeFileSync(keyFile, key, { mode: 0o600 })
  return {
    l1: { rpcUrl: lane.anvil.url, retryCount: 0, beacon: [{ url: of.beacon.url, blockId: 'number' }] },
    contracts: lane.contracts,
    // Close to the head: reorganisations take away what was checked.
    prover: { dataDir, keyFile, follow: { kind: 'depth', blocks: 1 }, pollMs: 100, retryMs: 200, workers: 1 },
    transactions: { finality: FINALITY, pollMs: 100, lowBalanceEther: 0 },
    http: { port: 0 },
    log: { level: process.env.TEST_LOG ?? 'silent' },
  }
}
