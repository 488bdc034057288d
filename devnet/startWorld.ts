import type { L1Account } from '../l1/client.ts'
import type { Contracts } from '../l1/contracts.ts'
import { contractsOf } from '../l1/operate/deployment.ts'
import type { DevnetAccounts } from './accounts.ts'
import type { EvseSigner } from './evseSigner.ts'
import { type L1Node, startL1Node } from './l1Node.ts'
import { PricePublisher } from './pricePublisher.ts'
import type { Scenario } from './scenario.ts'
import { addLane, buildWorld, WORLD_LEAD_SECONDS, type WorldOptions } from './world.ts'

/** Chargers that sign alike, and the cars that are credited at them: a lane of their own. */
export interface Population {
  readonly scenario: Scenario
  readonly signers: readonly EvseSigner[]
  readonly owners: readonly L1Account[]
  readonly fundingMicro: bigint
}

export interface StartOptions {
  readonly accounts: DevnetAccounts
  /** Of one scenario: start and prices are the same for all. */
  readonly populations: readonly [Population, ...Population[]]
  readonly onProgress: (what: string) => void
}

export interface StartedWorld {
  readonly node: L1Node
  readonly accounts: DevnetAccounts
  readonly contracts: Contracts
  /** One for each population. */
  readonly lanes: readonly [number, ...number[]]
  readonly publisher: PricePublisher
}

/** An L1 node with everything on it that must be there before anything is measured, its clock a second before the scenario's start. */
export async function startWorld(options: StartOptions, cleanup: AsyncDisposableStack): Promise<StartedWorld> {
  const { accounts, populations, onProgress } = options
  const { startSeconds, prices } = populations[0].scenario
  const node = cleanup.use(await startL1Node({ startSeconds: startSeconds - WORLD_LEAD_SECONDS }))
  onProgress(`L1 node at ${node.url}, its clock at ${new Date(node.nowMs()).toISOString()}`)
  const populating = ({ owners, ...population }: Population): WorldOptions => ({
    ...population,
    node,
    accounts: { ...accounts, owners },
    onProgress,
  })
  const [first, ...others] = populations
  const { deployment, zone, lane } = await buildWorld(populating(first))
  const lanes: [number, ...number[]] = [lane]
  for (const population of others) lanes.push(await addLane(populating(population), { deployment, zone }))
  const publisher = new PricePublisher({
    caller: { client: node.client, account: accounts.publisher },
    tariff: deployment.tariff,
    zone,
    prices,
  })
  await publisher.publishBefore(startSeconds)
  await node.moveTo(startSeconds - 1)
  return { node, accounts, contracts: contractsOf(deployment), lanes, publisher }
}
