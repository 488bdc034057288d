import type { Hex } from 'viem'

export interface RawTransaction {
  readonly hash: Hex
  readonly blockHash: Hex
  readonly blockNumber: Hex
  readonly from: Hex
  readonly to: Hex | null
  readonly type: Hex
  readonly input: Hex
}

const AT_ONCE = 64

/** Every transaction of a node's chain in order, as JSON-RPC tells it. */
export async function rawTransactions(nodeUrl: string): Promise<RawTransaction[]> {
  const [head] = await askMany<Hex>(nodeUrl, [['eth_blockNumber', []]])
  const found: RawTransaction[] = []
  for (let from = 0; from <= Number(head); from += AT_ONCE) {
    const many = Array.from({ length: Math.min(AT_ONCE, Number(head) + 1 - from) }, (_, i) => from + i)
    const blocks = await askMany<{ transactions: RawTransaction[] }>(
      nodeUrl,
      many.map((number) => ['eth_getBlockByNumber', [`0x${number.toString(16)}`, true]]),
    )
    for (const { transactions } of blocks) found.push(...transactions)
  }
  return found
}

async function askMany<T>(url: string, calls: readonly (readonly [string, readonly unknown[]])[]): Promise<T[]> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(calls.map(([method, params], id) => ({ jsonrpc: '2.0', id, method, params }))),
  })
  const answers = (await response.json()) as { id: number; result: T }[]
  return answers.sort((a, b) => a.id - b.id).map(({ result }) => result)
}
