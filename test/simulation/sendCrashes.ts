import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Hex, keccak256, toHex } from 'viem'
import { accountFromKey, connectL1, type L1Client, l1ConfigSchema } from '../../l1/client.ts'
import { TxManager } from '../../l1/txManager/manager.ts'
import { txConfigSchema, txPolicy } from '../../l1/txManager/txPolicy.ts'
import { memoryTxStore, type TxStore } from '../../l1/txManager/txStore.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { silentLogger } from '../../runtime/log.ts'
import { anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { rawTransactions } from './rawChain.ts'

const TARGET: Hex = '0x00000000000000000000000000000000000000aa'
const REQUESTS = 3
const PATIENCE_MS = 60_000

const KINDS = ['ends before', 'ends after', 'has a write failed before', 'has a write failed after'] as const

/**
 * What goes wrong at the n-th write of the books or broadcast, counted from 1; at none for 0. The process ends before or after it; or the write is told
 * to have failed, with nothing or all of it on disk, and the process goes on.
 */
interface Plan {
  readonly at: number
  readonly kind: (typeof KINDS)[number]
}

const NOTHING: Plan = { at: 0, kind: 'ends before' }

class Fault {
  readonly dead: Promise<'dead'>
  readonly #plan: Plan
  #die: () => void = () => {}
  #isDead = false
  points = 0

  constructor(plan: Plan) {
    this.#plan = plan
    this.dead = new Promise((resolve) => {
      this.#die = () => {
        this.#isDead = true
        resolve('dead')
      }
    })
  }

  async broadcast<T>(run: () => Promise<T>): Promise<T> {
    return await this.#through(run, false)
  }

  async write(run: () => Promise<void>): Promise<void> {
    await this.#through(run, true)
  }

  async #through<T>(run: () => Promise<T>, isWrite: boolean): Promise<T> {
    const never = new Promise<T>(() => {})
    if (this.#isDead) return await never
    const kind = ++this.points === this.#plan.at ? this.#plan.kind : undefined
    if (kind === 'ends before') this.#die()
    if (this.#isDead) return await never
    if (isWrite && kind === 'has a write failed before') throw writeFailed()
    const result = await run()
    if (isWrite && kind === 'has a write failed after') throw writeFailed()
    if (kind === 'ends after') this.#die()
    return this.#isDead ? await never : result
  }
}

function writeFailed(): BackfeedError {
  return new BackfeedError('STORE_FAILED', 'the disk is full', { retryable: true })
}

/**
 * Has the transaction manager carry out a few requests and ends it at each point in turn; another one goes on from its books, and the
 * caller asks for the same again. Then the same with writes that fail, which it outlives. The chain holds every request once and nothing else
 * of the account.
 */
export async function crashSender(): Promise<{ points: number; runs: number }> {
  await using anvil = await startAnvil()
  const client = await connectL1(l1ConfigSchema.parse({ rpcUrl: anvil.url, retryCount: 0 }))
  const account = accountFromKey(anvilPrivateKey(0))
  const policy = txPolicy(
    txConfigSchema.parse({
      finality: { kind: 'depth', blocks: 0 },
      pollMs: 10,
      rebroadcastMs: 100,
      stuckMs: 2_000,
      lowBalanceEther: 0,
    }),
  )
  const wanted: Hex[] = []
  const life = async (store: TxStore, ids: readonly string[], fault: Fault): Promise<'done' | 'dead'> => {
    const settings = { client: faultyClient(client, fault), account, store: faultyStore(store, fault), policy }
    const manager = new TxManager({ ...settings, log: silentLogger() })
    await manager.start({ fail: (error) => assert.fail(String(error)) })
    const sent = Promise.all(
      ids.map(async (id) => {
        const request = { id, label: id, to: TARGET, data: keccak256(toHex(id)), gas: 60_000n, kind: 'plain' as const }
        assert.equal((await manager.send(request)).status, 'success')
        await manager.final(id)
      }),
    ).then(() => 'done' as const)
    const patience = new AbortController()
    const tooLong = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).then(() =>
      assert.fail('a request never came to its end'),
    )
    tooLong.catch(() => {})
    const outcome = await Promise.race([sent, fault.dead, tooLong])
    patience.abort()
    if (outcome === 'done') await manager.stop()
    return outcome
  }
  const run = async (plan: Plan): Promise<number> => {
    const ids = Array.from({ length: REQUESTS }, (_, i) => `${plan.at}-${plan.kind}-${i}`)
    for (const id of ids) wanted.push(keccak256(toHex(id)))
    const store = memoryTxStore()
    const fault = new Fault(plan)
    if ((await life(store, ids, fault)) === 'dead') await life(store, ids, new Fault(NOTHING))
    return fault.points
  }
  const points = await run(NOTHING)
  let runs = 0
  for (let at = 1; at <= points; at++) {
    for (const kind of KINDS) {
      await run({ at, kind })
      runs++
      const done = await doneBy(anvil.url, account.address)
      assert.deepEqual(
        [...done].sort(),
        [...wanted].sort(),
        `${kind} point ${at} of ${points}: each request once, and nothing else`,
      )
    }
  }
  return { points, runs }
}

function faultyClient(client: L1Client, fault: Fault): L1Client {
  const sendRawTransaction: L1Client['sendRawTransaction'] = (args) =>
    fault.broadcast(() => client.sendRawTransaction(args))
  return { ...client, sendRawTransaction }
}

function faultyStore(store: TxStore, fault: Fault): TxStore {
  return {
    load: () => store.load(),
    getSidecar: (id) => store.getSidecar(id),
    put: (record) => fault.write(() => store.put(record)),
    delete: (id) => fault.write(() => store.delete(id)),
    putSidecar: (id, sidecar) => fault.write(() => store.putSidecar(id, sidecar)),
    deleteSidecar: (id) => fault.write(() => store.deleteSidecar(id)),
  }
}

async function doneBy(url: string, address: Hex): Promise<Hex[]> {
  const all = await rawTransactions(url)
  return all.filter(({ from }) => from.toLowerCase() === address.toLowerCase()).map(({ input }) => input)
}
