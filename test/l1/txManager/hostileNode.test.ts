import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { type Hex, hexToBigInt, keccak256, toHex } from 'viem'
import { type BlobSidecar, prepareSidecar } from '../../../l1/blobTransaction.ts'
import { accountFromKey, connectL1, type L1Account, l1ConfigSchema } from '../../../l1/client.ts'
import { TxManager } from '../../../l1/txManager/manager.ts'
import { txConfigSchema, txPolicy } from '../../../l1/txManager/txPolicy.ts'
import { memoryTxStore } from '../../../l1/txManager/txStore.ts'
import { BLOB_BYTES } from '../../../protocol/chunk.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { type Anvil, anvilPrivateKey, startAnvil } from '../../support/anvil.ts'
import { Random } from '../../support/generators/random.ts'
import {
  type Answer,
  forward,
  type HostileNode,
  refuse,
  type RpcRequest,
  startHostileNode,
} from '../../support/hostileNode.ts'

// The transaction manager against a node that lies, forgets, hangs up and answers nonsense. After each test an auditor that knows only the
// chain looks: every request was carried out exactly once, and nothing else was.

const TARGET: Hex = '0x00000000000000000000000000000000000000aa'
const LOOK_MS = 20

let anvil: Anvil
let node: HostileNode
let sidecar: BlobSidecar
let account: L1Account
let manager: TxManager
let sentIds: string[]

before(async () => {
  anvil = await startAnvil()
  node = await startHostileNode(anvil.url)
  const blob = new Uint8Array(BLOB_BYTES)
  for (let i = 0; i < 4096; i++) blob[i * 32 + 9] = i
  sidecar = await prepareSidecar([blob])
})
after(async () => {
  await node[Symbol.asyncDispose]()
  await anvil.stop()
})

let nextAccount = 0
beforeEach(async () => {
  node.play()
  account = accountFromKey(anvilPrivateKey(nextAccount++))
  sentIds = []
  manager = await startManager()
})
afterEach(async () => {
  node.play()
  await manager.stop()
  await audit()
})

async function startManager(patience: { stuckMs: number } = { stuckMs: 400 }): Promise<TxManager> {
  const client = await connectL1(l1ConfigSchema.parse({ rpcUrl: node.url, timeoutMs: 1_000, retryCount: 0 }))
  const policy = txPolicy(
    txConfigSchema.parse({
      finality: { kind: 'depth', blocks: 2 },
      pollMs: LOOK_MS,
      rebroadcastMs: 150,
      foreignNonceBlocks: 3,
      ...patience,
    }),
  )
  const started = new TxManager({ client, account, store: memoryTxStore(), policy, log: silentLogger() })
  await started.start({ fail: (error) => assert.fail(String(error)) })
  return started
}

const send = (id: string, kind: 'plain' | 'blob' = 'plain') => {
  sentIds.push(id)
  const request = { id, label: 'test', to: TARGET, data: keccak256(toHex(id)), gas: 60_000n }
  return manager.send(kind === 'blob' ? { ...request, kind, sidecar } : { ...request, kind })
}

/** Everything that the account ever did, from the chain's own blocks. */
async function audit(): Promise<void> {
  const done: Hex[] = []
  const head = await anvil.publicClient.getBlockNumber()
  for (let number = 0n; number <= head; number++) {
    const { transactions } = await anvil.publicClient.getBlock({ blockNumber: number, includeTransactions: true })
    for (const { from, input } of transactions) {
      if (from.toLowerCase() === account.address.toLowerCase()) done.push(input)
    }
  }
  const wanted = sentIds.map((id) => keccak256(toHex(id)))
  assert.deepEqual([...done].sort(), [...wanted].sort(), 'each request once, and nothing else')
}

/** A script that answers the first `times` requests of a method so, and lets the rest pass. */
function firstly(method: string, times: number, answer: (request: RpcRequest) => Answer): void {
  let left = times
  node.play((request) => (request.method === method && left-- > 0 ? answer(request) : forward))
}

test('a replacement called under-priced is offered for more until it is taken', async () => {
  firstly('eth_sendRawTransaction', 3, () => refuse('replacement transaction underpriced'))
  assert.equal((await send('underpriced', 'blob')).status, 'success')
  const attempts = manager.records()[0]?.attempts ?? []
  assert.ok(attempts.length >= 4)
  for (const [i, { fees, nonce }] of attempts.entries()) {
    assert.equal(nonce, attempts[0]?.nonce)
    const previous = attempts[i - 1]
    if (previous === undefined) continue
    assert.ok(fees.maxFeePerBlobGas >= 2n * previous.fees.maxFeePerBlobGas, 'pools want twice as much for blobs')
  }
})

test('"already known" from a node that knows nothing: it is told again', async () => {
  firstly('eth_sendRawTransaction', 2, () => refuse('already known'))
  assert.equal((await send('forgotten')).status, 'success')
  assert.ok((node.seen.get('eth_sendRawTransaction') ?? 0) >= 3)
})

test('a nonce that the node calls too low, or too high, and is neither', async () => {
  let answers = ['nonce too low', 'nonce too high', 'nonce too low: next nonce 99, tx nonce 0']
  node.play((request) => {
    const message = request.method === 'eth_sendRawTransaction' ? answers.shift() : undefined
    return message === undefined ? forward : refuse(message)
  })
  assert.equal((await send('nonce')).status, 'success')
  assert.equal(manager.records()[0]?.nonce, 0)
  answers = []
})

test('an account nonce that an overtaken node tells too low, then right', async () => {
  await send('first')
  let lies = 6
  node.play((request) =>
    request.method === 'eth_getTransactionCount' && lies-- > 0 ? { kind: 'result', result: '0x0' } : forward,
  )
  assert.equal((await send('second')).status, 'success')
})

test('receipts that vanish for some blocks: nothing is sent a second time', async () => {
  // It offers more for what waits to be mined; here it is mined, and must not be offered again however slow the machine.
  await manager.stop()
  manager = await startManager({ stuckMs: 600_000 })
  await anvil.setAutomine(false)
  try {
    const sent = send('vanishing')
    await inPool(1)
    node.play((request) =>
      request.method === 'eth_getTransactionReceipt' ? { kind: 'result', result: null } : forward,
    )
    await anvil.mine(1)
    await looks(4)
    // One block less than after which the nonce would count as somebody else's.
    await anvil.mine(2)
    await looks(4)
    node.play()
    assert.equal((await sent).status, 'success')
    assert.equal(manager.records()[0]?.attempts.length, 1)
    // Mined, and then its receipt is gone for a look: told apart from a reorganisation by showing the same offer again.
    node.play((request) =>
      request.method === 'eth_getTransactionReceipt' ? { kind: 'result', result: null } : forward,
    )
    await looks(3)
    node.play()
    const final = manager.final('vanishing')
    await anvil.mine(3)
    assert.equal((await final).status, 'success')
  } finally {
    await anvil.setAutomine(true)
  }
})

test('the blob base fee jumps eightfold: offers follow it by doubling, under one nonce', async () => {
  await anvil.setAutomine(false)
  try {
    const sent = send('dear', 'blob')
    await inPool(1)
    const first = manager.records()[0]?.attempts[0]?.fees.maxFeePerBlobGas ?? 0n
    node.play((request) =>
      request.method === 'eth_blobBaseFee'
        ? { kind: 'after', change: (fee) => ({ kind: 'result', result: toHex(8n * hexToBigInt(fee as Hex)) }) }
        : forward,
    )
    const wanted = 8n * first
    for (;;) {
      const last = manager.records()[0]?.attempts.at(-1)
      const { known } = await pooled(last?.hash)
      if (known && (last?.fees.maxFeePerBlobGas ?? 0n) >= wanted) break
      await looks(1)
    }
    await anvil.mine(1)
    assert.equal((await sent).status, 'success')
  } finally {
    await anvil.setAutomine(true)
  }
})

test('time-outs, closed connections, gateway pages and 429: it waits, and goes on', async () => {
  const nonsense: Answer[] = [
    { kind: 'hangUp' },
    { kind: 'garbage', status: 502, body: '<html>bad gateway</html>' },
    { kind: 'garbage', status: 429, body: '' },
    { kind: 'garbage', status: 200, body: '<html>who are you?</html>' },
    refuse('header not found'),
    refuse('request timed out, please try again'),
    { kind: 'after', change: () => ({ kind: 'hangUp' }) },
  ]
  let next = 0
  node.play((request) => {
    if (request.method === 'eth_sendRawTransaction' && next % 2 === 0) return nonsense[next++ % nonsense.length]!
    return next++ < 30 ? nonsense[next % nonsense.length]! : forward
  })
  const receipts = await Promise.all([send('a'), send('b'), send('c')])
  assert.deepEqual(
    receipts.map(({ status }) => status),
    ['success', 'success', 'success'],
  )
})

for (const seed of [1, 2, 3]) {
  test(`everything at once, seed ${seed}`, { timeout: 300_000 }, async () => {
    const random = new Random(seed)
    let receiptsGone = 0
    node.play((request) => misbehave(random, request, receiptsGone === 0, () => receiptsGone++))
    const all = Array.from({ length: 12 }, (_, i) => send(`${seed}-${i}`, random.chance(0.25) ? 'blob' : 'plain'))
    // Faults stop after a while, as an auditor must be able to expect that all is done then.
    const healed = setTimeout(() => node.play(), 6_000)
    for (const { status } of await Promise.all(all)) assert.equal(status, 'success')
    clearTimeout(healed)
    assert.ok(receiptsGone > 0)
  })
}

/**
 * Any answer may be late, lost, stale or a lie; a lie about a receipt never lasts as long as `foreignNonceBlocks` blocks. In which order requests
 * come is not under the seed: the first receipt is hidden, so that one is.
 */
function misbehave(
  random: Random,
  { method, params }: RpcRequest,
  isNoReceiptGone: boolean,
  onReceiptGone: () => void,
): Answer {
  if (random.chance(0.05)) return { kind: 'hangUp' }
  if (random.chance(0.05)) return { kind: 'garbage', status: 503, body: 'busy' }
  if (method === 'eth_sendRawTransaction') {
    if (random.chance(0.15)) return { kind: 'after', change: () => ({ kind: 'hangUp' }) }
    if (random.chance(0.1)) return refuse('already known')
    if (random.chance(0.1)) return refuse('nonce too high')
    if (random.chance(0.1)) return refuse('transaction underpriced')
    if (random.chance(0.1)) return refuse('txpool is full')
  }
  if (method === 'eth_getTransactionReceipt' && (random.chance(0.3) || isNoReceiptGone)) {
    onReceiptGone()
    return { kind: 'result', result: null }
  }
  if (method === 'eth_blobBaseFee' && random.chance(0.3)) return { kind: 'result', result: toHex(random.int(1, 64)) }
  if (method === 'eth_getTransactionCount' && params[1] === 'latest' && random.chance(0.1)) {
    return {
      kind: 'after',
      change: (count) => ({ kind: 'result', result: toHex(atLeast0(hexToBigInt(count as Hex) - 1n)) }),
    }
  }
  return forward
}

const atLeast0 = (value: bigint): bigint => (value < 0n ? 0n : value)

async function looks(count: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 3 * count * LOOK_MS))
}

async function pooled(hash: Hex | undefined): Promise<{ known: boolean }> {
  const found = hash && (await anvil.rpc<{ hash: Hex } | null>('eth_getTransactionByHash', [hash]))
  return { known: found !== undefined && found !== null }
}

async function inPool(attempts: number): Promise<void> {
  for (;;) {
    const made = manager.records()[0]?.attempts ?? []
    if (made.length >= attempts && (await pooled(made.at(-1)?.hash)).known) return
    await looks(1)
  }
}
