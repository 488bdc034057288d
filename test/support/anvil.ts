import {
  type Account,
  createPublicClient,
  createTestClient,
  createWalletClient,
  type Hex,
  http,
  type PublicClient,
} from 'viem'
import { mnemonicToAccount } from 'viem/accounts'
import { foundry } from 'viem/chains'
import { spawnAnvil } from '../../devnet/anvil.ts'
import { freePort } from '../../devnet/freePort.ts'
import { untilWithin } from './until.ts'

export interface AnvilOptions {
  port?: number
  /** Genesis time, seconds. */
  timestamp?: number
  args?: readonly string[]
}

export interface Anvil extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly publicClient: PublicClient
  stop(): Promise<void>
  /** kill -9: it saves nothing. */
  kill(): Promise<void>
  rpc<T = unknown>(method: string, params?: unknown[]): Promise<T>
  mine(blocks?: number): Promise<void>
  /** Moves the chain's clock forward and mines one block at the new time. */
  warp(seconds: number): Promise<void>
  /** Mines a block whose time is exactly this. */
  warpTo(timestamp: number): Promise<void>
  snapshot(): Promise<Hex>
  revert(id: Hex): Promise<void>
  setAutomine(enabled: boolean): Promise<void>
  /** Replaces the last `depth` blocks by empty ones. */
  reorg(depth: number): Promise<void>
  setBalance(address: Hex, wei: bigint): Promise<void>
  /** Deploys and returns the address. */
  deploy(input: { initCode: Hex; from?: number }): Promise<Hex>
  now(): Promise<number>
}

const TEST_MNEMONIC = 'test test test test test test test test test test test junk'

/** One of anvil's ten funded accounts, by index. Public test keys: worthless anywhere else. */
export function anvilAccount(index: number): ReturnType<typeof mnemonicToAccount> {
  return mnemonicToAccount(TEST_MNEMONIC, { addressIndex: index })
}

export function anvilPrivateKey(index: number): Hex {
  const key = anvilAccount(index).getHdKey().privateKey
  if (key === null) throw new Error('no private key')
  return `0x${Buffer.from(key).toString('hex')}`
}

/** A real L1 node on loopback that is steered block by block. It goes with the test, whichever way that goes. */
export async function startAnvil(options: AnvilOptions = {}): Promise<Anvil> {
  const port = options.port ?? (await freePort())
  const timestamp = options.timestamp === undefined ? [] : ['--timestamp', String(options.timestamp)]
  const { child, release, kill } = spawnAnvil(port, [...timestamp, ...(options.args ?? [])])
  const url = `http://127.0.0.1:${port}`
  // A node loads its KZG setup at its first blob: seconds of CPU, a minute and more on a machine that is busy with other tests.
  const transport = http(url, { retryCount: 0, timeout: 180_000 })
  const publicClient = createPublicClient({ chain: foundry, transport, cacheTime: 0, pollingInterval: 50 })
  const testClient = createTestClient({ chain: foundry, mode: 'anvil', transport })

  const rpc = async <T>(method: string, params: unknown[] = []): Promise<T> =>
    (await publicClient.request({ method, params } as never)) as T
  const stop = async (): Promise<void> => void (await release())
  try {
    await waitUntilReady(publicClient, child)
  } catch (error) {
    await stop()
    throw error
  }

  return {
    url,
    port,
    publicClient: publicClient as PublicClient,
    stop,
    kill,
    [Symbol.asyncDispose]: stop,
    rpc,
    mine: (blocks = 1) => testClient.mine({ blocks }),
    warp: async (seconds) => {
      await testClient.increaseTime({ seconds })
      await testClient.mine({ blocks: 1 })
    },
    warpTo: async (timestamp) => {
      await testClient.setNextBlockTimestamp({ timestamp: BigInt(timestamp) })
      await testClient.mine({ blocks: 1 })
    },
    snapshot: () => testClient.snapshot(),
    revert: (id) => testClient.revert({ id }),
    setAutomine: (enabled) => testClient.setAutomine(enabled),
    reorg: async (depth) => void (await rpc('anvil_reorg', [depth, []])),
    setBalance: async (address, wei) => void (await rpc('anvil_setBalance', [address, `0x${wei.toString(16)}`])),
    deploy: async ({ initCode, from = 0 }) => {
      const account: Account = anvilAccount(from)
      const wallet = createWalletClient({ account, chain: foundry, transport })
      const hash = await wallet.sendTransaction({ data: initCode })
      const receipt = await publicClient.waitForTransactionReceipt({ hash })
      if (receipt.status !== 'success' || !receipt.contractAddress) throw new Error(`deployment ${hash} failed`)
      return receipt.contractAddress
    },
    now: async () => Number((await publicClient.getBlock()).timestamp),
  }
}

async function waitUntilReady(
  client: Pick<PublicClient, 'getChainId'>,
  child: { exitCode: number | null },
): Promise<void> {
  await untilWithin(120)('anvil answers', async () => {
    if (child.exitCode !== null) throw new Error(`anvil ended with ${child.exitCode}`)
    return await client.getChainId().then(
      () => true,
      () => false,
    )
  })
}
