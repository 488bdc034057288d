import type { ChildProcess } from 'node:child_process'
import { connectL1, type L1Client, l1ConfigSchema } from '../l1/client.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { pause } from '../runtime/wait.ts'
import { spawnAnvil } from './anvil.ts'
import { freePort } from './freePort.ts'

/** An L1 node on loopback whose clock can be moved forward. */
export interface L1Node extends AsyncDisposable {
  readonly url: string
  readonly client: L1Client
  /**
   * Mines a block whose time is `seconds` and one on top, so that the first is one deep; does nothing when the chain is there
   * already.
   */
  moveTo(seconds: number): Promise<void>
  /** Unix seconds on the chain's clock, which runs on from the last move like any clock. */
  nowMs(): number
  setBalance(address: string, wei: bigint): Promise<void>
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 60_000

export async function startL1Node(options: { startSeconds: number }): Promise<L1Node> {
  const port = await freePort()
  const { child, release } = spawnAnvil(port, [
    ...['--timestamp', String(options.startSeconds)],
    ...['--gas-limit', '60000000'],
  ])
  const stop = async (): Promise<void> => void (await release())
  const url = `http://127.0.0.1:${port}`
  try {
    const client = await waitUntilReady(url, child)
    return nodeOf({ url, client, startSeconds: options.startSeconds, stop })
  } catch (error) {
    await stop()
    throw error
  }
}

function nodeOf(parts: { url: string; client: L1Client; startSeconds: number; stop: () => Promise<void> }): L1Node {
  const { url, client, stop } = parts
  const rpc = async (method: string, params: unknown[]): Promise<unknown> =>
    await client.request({ method, params } as never)
  let base = { chainSeconds: parts.startSeconds, wallMs: Date.now() }
  return {
    url,
    client,
    stop,
    [Symbol.asyncDispose]: stop,
    nowMs: () => base.chainSeconds * 1000 + (Date.now() - base.wallMs),
    moveTo: async (seconds) => {
      const head = await client.getBlock()
      if (Number(head.timestamp) >= seconds) return
      await rpc('evm_setNextBlockTimestamp', [seconds])
      await rpc('evm_mine', [])
      await rpc('evm_mine', [])
      base = { chainSeconds: seconds, wallMs: Date.now() }
    },
    setBalance: async (address, wei) => void (await rpc('anvil_setBalance', [address, `0x${wei.toString(16)}`])),
  }
}

async function waitUntilReady(url: string, child: ChildProcess): Promise<L1Client> {
  const deadline = Date.now() + START_TIMEOUT_MS
  const config = l1ConfigSchema.parse({ rpcUrl: url, retryCount: 0, timeoutMs: 60_000 })
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new BackfeedError('L1_NODE_ENDED', 'the L1 node ended while starting', { exitCode: ExitCode.l1Unreachable })
    }
    try {
      return await connectL1(config)
    } catch (cause) {
      if (Date.now() > deadline) {
        throw new BackfeedError('L1_NODE_SILENT', 'the L1 node did not answer in time', {
          exitCode: ExitCode.l1Unreachable,
          cause,
        })
      }
      await pause(50)
    }
  }
}
