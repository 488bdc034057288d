import { encodeFunctionData, type Hex } from 'viem'
import { type DevnetAccounts, devnetAccounts } from '../../devnet/accounts.ts'
import { contractsOf } from '../../l1/operate/deployment.ts'
import { type EvseSigner, seededEvseSigner } from '../../devnet/evseSigner.ts'
import { Fleet } from '../../devnet/fleet.ts'
import { type L1Node, startL1Node } from '../../devnet/l1Node.ts'
import { type Scenario, scenarioDischarges } from '../../devnet/scenario.ts'
import { seededScenario } from '../../devnet/seededScenario.ts'
import { buildWorld, WORLD_LEAD_SECONDS, type World } from '../../devnet/world.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { toHex } from '../../l1/bytes.ts'
import type { Contracts } from '../../l1/contracts.ts'
import { sendCall } from '../../l1/contractCall.ts'
import { openLaneView } from '../../l1/laneView/laneView.ts'
import { setPrices } from '../../l1/operate/tariffs.ts'
import { DataKind } from '../../protocol/batchHeader.ts'
import { chunksFor } from '../../protocol/chunk.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { P256_CHUNK_RECORDS } from '../../protocol/limits.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'

/** A lane on a real node whose batches a test posts by itself, as calldata. */
export interface PostedLane extends AsyncDisposable {
  readonly node: L1Node
  readonly world: World
  readonly contracts: Contracts
  readonly scenario: Scenario
  readonly accounts: DevnetAccounts
  /** The state after everything posted. */
  readonly state: LaneState
  /** Settles and posts these rows. `postRoot` lies about the root. */
  post(rows: Uint8Array, lie?: { postRoot: Hex }): Promise<void>
  readonly rows: Uint8Array
}

export async function startPostedLane(options: { evseCount: number; fundingMicro?: bigint }): Promise<PostedLane> {
  const seed = 'bridge-test'
  const scenario = seededScenario({ seed, evseCount: options.evseCount, minutes: 10 })
  const accounts = devnetAccounts(seed, scenario.cars.length)
  const signers: EvseSigner[] = scenario.evses.map((_, index) => seededEvseSigner(seed, index))
  const node = await startL1Node({ startSeconds: scenario.startSeconds - WORLD_LEAD_SECONDS })
  try {
    const fundingMicro = options.fundingMicro ?? 1_000_000_000n
    const world = await buildWorld({ node, accounts, scenario, signers, fundingMicro, onProgress: () => {} })
    const contracts = contractsOf(world.deployment)
    const publisher = { client: node.client, account: accounts.publisher }
    for (const run of scenario.prices) await setPrices(publisher, contracts.tariff, { zone: world.zone, ...run })
    await node.moveTo(scenario.steps.at(-1)!.untilSeconds + 10)
    const fleet = new Fleet({
      signers,
      evses: scenario.evses,
      chainId: BigInt(node.client.chain.id),
      rollup: contracts.rollup,
      lane: world.lane,
    })
    const state = new LaneState()
    return {
      node,
      world,
      contracts,
      scenario,
      accounts,
      state,
      rows: fleet.signAll(scenarioDischarges(scenario)),
      post: (rows, lie) => postBatch({ node, world, contracts, accounts, state }, rows, lie),
      [Symbol.asyncDispose]: () => node.stop(),
    }
  } catch (error) {
    await node.stop()
    throw error
  }
}

async function postBatch(
  parts: Pick<PostedLane, 'node' | 'world' | 'contracts' | 'accounts' | 'state'>,
  rows: Uint8Array,
  lie?: { postRoot: Hex },
): Promise<void> {
  const { node, contracts, state } = parts
  const { lane } = parts.world
  const head = await node.client.getBlock()
  const asOf = Number(head.timestamp)
  const view = await openLaneView({ client: node.client, contracts, lane })
  await view.catchUp({ number: head.number, hash: head.hash })
  const settlement = new Settlement(state, view.rules, asOf)
  const pieces: Uint8Array[] = []
  const chunkBytes = P256_CHUNK_RECORDS * SIGNED_RECORD_BYTES
  for (let from = 0; from < rows.length; from += chunkBytes) {
    const body = rows.subarray(from, from + chunkBytes)
    pieces.push(state.root(), body)
    for (let at = 0; at < body.length; at += SIGNED_RECORD_BYTES) settlement.settle(body, at, true)
  }
  const info = await node.client.readContract({
    address: contracts.rollup,
    abi: rollupAbi,
    functionName: 'lane',
    args: [lane],
  })
  await node.moveTo(asOf + 1)
  const data = encodeFunctionData({
    abi: rollupAbi,
    functionName: 'submitBatch',
    args: [
      {
        lane,
        index: info.tip + 1n,
        // As the ring keeps it: the last 4 bytes are nobody's business (docs/protocol.md §15.3).
        parentHash: info.tipHash,
        postRoot: lie?.postRoot ?? toHex(state.root()),
        asOf,
        l1Block: head.number,
        l1Hash: head.hash,
        dataKind: DataKind.CALLDATA,
        chunkCount: chunksFor(P256_LAYOUT, rows.length / SIGNED_RECORD_BYTES),
        forcedEnd: info.forcedEnd,
      },
      toHex(Buffer.concat(pieces)),
    ],
  })
  const caller = { client: node.client, account: parts.accounts.laneOperator }
  await sendCall(caller, { to: contracts.rollup, data, label: 'post a batch' })
}
