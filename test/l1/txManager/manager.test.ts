import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Hex, parseAbi, parseEther } from 'viem'
import { type BlobSidecar, prepareSidecar } from '../../../l1/blobTransaction.ts'
import { accountFromKey, connectL1, type L1Client, l1ConfigSchema } from '../../../l1/client.ts'
import { openLevelTxStore } from '../../../l1/txManager/levelStore.ts'
import { TxManager, type TxManagerSettings } from '../../../l1/txManager/manager.ts'
import { txConfigSchema, txPolicy } from '../../../l1/txManager/txPolicy.ts'
import { memoryTxStore } from '../../../l1/txManager/txStore.ts'
import { BLOB_BYTES } from '../../../protocol/chunk.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { type Anvil, anvilPrivateKey, startAnvil } from '../../support/anvil.ts'
import { initCode, REFUSER } from '../../support/evm.ts'

const TARGET: Hex = '0x00000000000000000000000000000000000000aa'
const policy = txPolicy(
  txConfigSchema.parse({
    finality: { kind: 'depth', blocks: 3 },
    pollMs: 30,
    stuckMs: 300,
    rebroadcastMs: 100,
    foreignNonceBlocks: 1,
  }),
)

let anvil: Anvil
let client: L1Client
let sidecar: BlobSidecar
before(async () => {
  anvil = await startAnvil()
  client = await connectL1(l1ConfigSchema.parse({ rpcUrl: anvil.url }))
  const blob = new Uint8Array(BLOB_BYTES)
  for (let i = 0; i < 4096; i++) blob[i * 32 + 7] = i
  sidecar = await prepareSidecar([blob])
})
after(() => anvil.stop())

// Each test has an account of its own, so that they leave each other's nonces alone.
let nextAccount = 0
async function managed(
  change: Partial<TxManagerSettings> = {},
): Promise<{ manager: TxManager; settings: TxManagerSettings } & AsyncDisposable> {
  const account = change.account ?? accountFromKey(anvilPrivateKey(nextAccount++ % 10))
  const settings = { client, account, store: memoryTxStore(), policy, log: silentLogger(), ...change }
  const manager = new TxManager(settings)
  await manager.start({ fail: (error) => assert.fail(String(error)) })
  return { manager, settings, [Symbol.asyncDispose]: () => manager.stop() }
}

const plain = (id: string, data: Hex = '0x') => ({ id, label: 'test', kind: 'plain' as const, to: TARGET, data })

function until(manager: TxManager, kind: string): Promise<void> {
  return new Promise((resolve) => {
    const off = manager.on((event) => {
      if (event.kind !== kind) return
      off()
      resolve()
    })
  })
}

/** Resolves once the node holds the newest offer: events come before the broadcast that they announce. */
async function untilInPool(manager: TxManager): Promise<void> {
  for (;;) {
    const hash = manager.records()[0]?.attempts.at(-1)?.hash
    const known = hash && (await anvil.rpc<{ hash: Hex } | null>('eth_getTransactionByHash', [hash]))
    if (known && known.hash === manager.records()[0]?.attempts.at(-1)?.hash) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('sends in order, once an id, and says when it is final', async () => {
  await using given = await managed()
  const { manager } = given
  const results = await Promise.all([manager.send(plain('a')), manager.send(plain('b')), manager.send(plain('a'))])
  assert.deepEqual(
    results.map((receipt) => receipt.status),
    ['success', 'success', 'success'],
  )
  assert.equal(results[0]?.transactionHash, results[2]?.transactionHash)
  assert.equal(await client.getTransactionCount({ address: manager.address }), 2)
  const final = manager.final('a')
  await anvil.mine(4)
  assert.equal((await final).transactionHash, results[0]?.transactionHash)
  assert.equal((await manager.send(plain('a'))).transactionHash, results[0]?.transactionHash)
  assert.equal(await client.getTransactionCount({ address: manager.address }), 2)
})

test('what is final keeps its calldata only where it tells why it reverted, also across a restart', async () => {
  const refuser = await anvil.deploy({ initCode: initCode(REFUSER), from: 9 })
  const done = plain('done', '0x0102')
  // A gas limit of its own: it is not simulated first.
  const reverts = { ...plain('reverts', '0x0304'), to: refuser, gas: 100_000n }
  const abi = parseAbi(['error Refused()'])
  const isRefused = (error: unknown) => isBackfeedError(error, 'L1_REVERTED') && error.message.includes('Refused()')
  const kept = (manager: TxManager) => manager.records().map(({ id, data }) => [id, data])
  const expected = [
    ['done', '0x'],
    ['reverts', '0x0304'],
  ]
  let settings: TxManagerSettings
  {
    await using given = await managed({ abi })
    settings = given.settings
    const { manager } = given
    await manager.send(done)
    await assert.rejects(manager.send(reverts), isRefused)
    assert.equal(kept(manager)[0]?.[1], '0x0102')
    const isFinal = [manager.final('done'), assert.rejects(manager.final('reverts'), isRefused)]
    await anvil.mine(4)
    await Promise.all(isFinal)
    assert.deepEqual(kept(manager), expected)
  }
  await using again = await managed(settings)
  assert.deepEqual(kept(again.manager), expected)
  assert.equal((await again.manager.send(done)).status, 'success')
  await assert.rejects(again.manager.send(reverts), isRefused)
  assert.deepEqual(
    (await settings.store.load()).map(({ id, data }) => [id, data]),
    expected,
  )
})

test('sends blobs with cell proofs, and plain transactions only when those are mined', async () => {
  await using given = await managed()
  const { manager } = given
  const [blob, next] = await Promise.all([
    manager.send({ ...plain('blob'), kind: 'blob', sidecar }),
    manager.send(plain('next')),
  ])
  assert.equal(blob.blobGasUsed, 131_072n)
  assert.ok(next.blockNumber > blob.blockNumber)
  const transaction = await client.getTransaction({ hash: blob.transactionHash })
  assert.deepEqual(transaction.blobVersionedHashes, sidecar.versionedHashes)
})

test('a revert is found before sending and named', async () => {
  const refuser = await anvil.deploy({ initCode: initCode(REFUSER), from: 9 })
  await using given = await managed({ abi: parseAbi(['error Refused()']) })
  const { manager } = given
  const refused = (error: unknown) => isBackfeedError(error, 'L1_REVERTED') && error.message.includes('Refused()')
  await assert.rejects(manager.send({ ...plain('r', '0x01'), to: refuser }), refused)
  assert.equal(await client.getTransactionCount({ address: manager.address }), 0)
  // With the caller's own gas there is no simulation: it fails in a block, and the reason is found again.
  await assert.rejects(manager.send({ ...plain('s', '0x01'), to: refuser, gas: 60_000n }), refused)
  assert.equal(await client.getTransactionCount({ address: manager.address }), 1)
  assert.equal((await manager.send({ ...plain('t', '0x00'), to: refuser })).status, 'success')
})

test('a gas limit is never under the calldata floor', async () => {
  await using given = await managed()
  const receipt = await given.manager.send({ ...plain('floor', `0x${'ff'.repeat(1000)}`), gas: 21_000n })
  assert.equal(receipt.status, 'success')
  assert.ok(receipt.gasUsed >= 21_000n + 40_000n)
})

test('a restart takes up what was written down before it was sent', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'backfeed-tx-'))
  try {
    await anvil.setAutomine(false)
    const account = accountFromKey(anvilPrivateKey(nextAccount++))
    const request = { ...plain('kept'), kind: 'blob' as const, sidecar }
    // However long the machine takes for the restart, no other offer is made.
    const patient = { account, policy: { ...policy, stuckMs: 600_000 } }
    {
      await using store = await openLevelTxStore(directory)
      await using given = await managed({ ...patient, store })
      const interrupted = assert.rejects(given.manager.send(request), (e) => isBackfeedError(e, 'TX_MANAGER_STOPPED'))
      await until(given.manager, 'sent')
      await given.manager.stop()
      await interrupted
    }
    // The node forgets it too, as a pool does when it restarts.
    await anvil.rpc('anvil_dropAllTransactions')
    await using store = await openLevelTxStore(directory)
    await using given = await managed({ ...patient, store })
    assert.equal(given.manager.records()[0]?.attempts.length, 1)
    const sent = given.manager.send(request)
    await untilInPool(given.manager)
    await anvil.mine(1)
    const receipt = await sent
    assert.equal(receipt.blobGasUsed, 131_072n)
    assert.equal(await client.getTransactionCount({ address: account.address }), 1)
  } finally {
    await anvil.setAutomine(true)
    await rm(directory, { recursive: true })
  }
})

test('a stuck transaction is offered again for more, under the same nonce', async () => {
  await anvil.setAutomine(false)
  try {
    await using given = await managed()
    const { manager } = given
    const sent = manager.send({ ...plain('stuck'), kind: 'blob', sidecar })
    await until(manager, 'replaced')
    await untilInPool(manager)
    await anvil.mine(1)
    const receipt = await sent
    const record = manager.records()[0]
    const [first, second] = record?.attempts ?? []
    assert.equal(second?.fees.maxFeePerBlobGas, 2n * (first?.fees.maxFeePerBlobGas ?? 0n))
    assert.equal(second?.fees.maxFeePerGas, 2n * (first?.fees.maxFeePerGas ?? 0n))
    assert.notEqual(receipt.transactionHash, first?.hash)
    assert.equal(await client.getTransactionCount({ address: manager.address }), 1)
  } finally {
    await anvil.setAutomine(true)
  }
})

test('a cancel of a blob transaction is one too, and frees the nonce', async () => {
  await anvil.setAutomine(false)
  try {
    await using given = await managed()
    const { manager } = given
    const sent = manager.send({ ...plain('cancelled'), kind: 'blob', sidecar })
    const rejected = assert.rejects(sent, (error) => isBackfeedError(error, 'TX_CANCELLED'))
    await until(manager, 'sent')
    manager.cancel('cancelled')
    await until(manager, 'replaced')
    await untilInPool(manager)
    await anvil.mine(1)
    await rejected
    const last = manager.records()[0]?.attempts.at(-1)
    assert.equal(last?.purpose, 'cancel')
    const transaction = await client.getTransaction({ hash: last?.hash ?? '0x' })
    assert.equal(transaction.type, 'eip4844')
    assert.equal(transaction.to?.toLowerCase(), manager.address.toLowerCase())
  } finally {
    await anvil.setAutomine(true)
  }
})

test('a nonce used behind our back is noticed, and the transaction goes under the next one', async () => {
  await anvil.setAutomine(false)
  try {
    await using given = await managed()
    const { manager, settings } = given
    const sent = manager.send(plain('displaced'))
    await until(manager, 'sent')
    await untilInPool(manager)
    await anvil.rpc('anvil_dropAllTransactions')
    const foreign = await settings.account.signTransaction({
      chainId: client.chain.id,
      type: 'eip1559',
      nonce: 0,
      gas: 21_000n,
      to: manager.address,
      maxFeePerGas: parseEther('0.00000005'),
      maxPriorityFeePerGas: parseEther('0.00000004'),
    })
    await anvil.rpc('eth_sendRawTransaction', [foreign])
    await anvil.mine(1)
    // It must stay taken for a block; mining on until it is seen to be.
    let isReassigned = false
    const reassigned = until(manager, 'reassigned').then(() => {
      isReassigned = true
    })
    while (!isReassigned) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      await anvil.mine(1)
    }
    await reassigned
    await untilInPool(manager)
    await anvil.mine(1)
    assert.equal((await sent).status, 'success')
    assert.equal(manager.records()[0]?.nonce, 1)
    assert.equal(await client.getTransactionCount({ address: manager.address }), 2)
  } finally {
    await anvil.setAutomine(true)
  }
})

test('what a reorganisation throws out is sent again', async () => {
  await using given = await managed()
  const { manager } = given
  const snapshot = await anvil.snapshot()
  const nonce = await client.getTransactionCount({ address: manager.address })
  const before = await manager.send(plain('reorged'))
  const reorged = until(manager, 'reorged')
  const minedAgain = until(manager, 'mined')
  await anvil.revert(snapshot)
  await reorged
  await minedAgain
  const again = await manager.send(plain('reorged'))
  assert.equal(again.transactionHash, before.transactionHash)
  assert.equal(await client.getTransactionCount({ address: manager.address }), nonce + 1)
  const final = manager.final('reorged')
  await anvil.mine(4)
  assert.equal((await final).blockHash, again.blockHash)
})

test('a low balance raises the alarm once, and a top-up lets the transaction through', async () => {
  let alarms = 0
  const account = accountFromKey(`0x${'42'.repeat(32)}`)
  await using given = await managed({ account, onLowBalance: () => alarms++ })
  const sent = given.manager.send({ ...plain('poor'), gas: 21_000n })
  await until(given.manager, 'sent')
  while (alarms === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  // A few looks later it is still one alarm.
  for (let look = 0; look < 4; look++) await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(alarms, 1)
  await anvil.setBalance(account.address, parseEther('1'))
  assert.equal((await sent).status, 'success')
})
