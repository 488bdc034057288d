import { createServer, type ServerResponse } from 'node:http'
import type { Hex } from 'viem'
import { listenOnLoopback } from '../../devnet/loopback.ts'
import { rawTransactions } from './rawChain.ts'
import type { BeaconFault } from './plan.ts'

/** A beacon node on loopback, in front of a development node, that keeps blobs through that node's restart and misbehaves when told. */
export interface SimulatedBeacon extends AsyncDisposable {
  readonly url: string
  misbehave(fault: BeaconFault | undefined): void
  /** Takes over every blob that the chain has now: the execution node forgets them when it ends. */
  keep(): Promise<void>
}

export async function startBeacon(nodeUrl: string): Promise<SimulatedBeacon> {
  let fault: BeaconFault | undefined
  const kept = new Map<Hex, string>()
  const blobsOf = async (block: string): Promise<string> => {
    const response = await fetch(`${nodeUrl}/eth/v1/beacon/blobs/${block}`)
    if (!response.ok) throw new Error(`${response.status}`)
    return await response.text()
  }
  const hashOf = async (block: string): Promise<Hex | undefined> => {
    const answer = await ask<{ hash: Hex } | null>(nodeUrl, 'eth_getBlockByNumber', [
      `0x${BigInt(block).toString(16)}`,
      false,
    ])
    return answer?.hash
  }
  const answer = async (path: string, out: ServerResponse): Promise<void> => {
    if (fault === 'hangsUp') return void out.destroy()
    if (fault === 'busy') return void out.writeHead(503).end()
    const block = /^\/eth\/v1\/beacon\/blobs\/(\d+)/.exec(path)?.[1]
    if (block === undefined || fault === 'unknown') return void out.writeHead(404).end('{"message":"no such block"}')
    const hash = await hashOf(block)
    let body = (hash && kept.get(hash)) ?? (await blobsOf(block))
    // Blobs of the right form with other bytes: whoever takes them unchecked settles nonsense.
    if (fault === 'otherBlobs') body = body.replace(/0x00[0-9a-f]{8}/g, '0x0012345678')
    out.writeHead(200, { 'content-type': 'application/json' }).end(body)
  }
  const server = createServer((incoming, out) => {
    answer(incoming.url ?? '', out).catch(() => out.destroy())
  })
  const { port, close } = await listenOnLoopback(server)
  return {
    url: `http://127.0.0.1:${port}`,
    misbehave: (next) => {
      fault = next
    },
    keep: async () => {
      for (const { blockHash, blockNumber, type } of await rawTransactions(nodeUrl)) {
        if (type === '0x3' && !kept.has(blockHash)) kept.set(blockHash, await blobsOf(BigInt(blockNumber).toString()))
      }
    },
    [Symbol.asyncDispose]: close,
  }
}

async function ask<T>(url: string, method: string, params: readonly unknown[]): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  return ((await response.json()) as { result: T }).result
}
