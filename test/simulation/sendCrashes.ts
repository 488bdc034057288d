import assert from 'node:assert/strict'
import { type Hex, keccak256, toHex } from 'viem'
import { accountFromKey, connectL1, type L1Client, l1ConfigSchema } from '../../l1/client.ts'
import { TxManager } from '../../l1/txManager/manager.ts'
import { txConfigSchema, txPolicy } from '../../l1/txManager/txPolicy.ts'
import { memoryTxStore, type TxStore } from '../../l1/txManager/txStore.ts'
import { silentLogger } from '../../runtime/log.ts'
import { anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { rawTransactions } from './rawChain.ts'

const TARGET: Hex = '0x00000000000000000000000000000000000000aa'
const REQUESTS = 3

/** Where a process may end: at a write of its books or at a broadcast, before it or after it. */
class Crash {
  readonly dead: Promise<'dead'>
  readonly #at: number
  readonly #after: boolean
  #die: () => void = () => {}
  #isDead = false
  points = 0

  constructor(at: number, after: boolean) {
    this.#at = at
    this.#after = after
    this.dead = new Promise((resolve) => {
      this.#die = () => {
        this.#isDead = true
        resolve('dead')
      }
    })
  }

  async through<T>(run: () => Promise<T>): Promise<T> {
    const never = new Promise<T>(() => {})
    if (this.#isDead) return await never
    const isHere = ++this.points === this.#at
    if (isHere && !this.#after) this.#die()
    if (this.#isDead) return await never
    const result = await run()
    if (isHere) this.#die()
    return this.#isDead ? await never : result
  }
}

/**
 * Has the transaction manager carry out a few requests and ends it at each point in turn; another one goes on from its books, and the
 * caller asks for the same again. The chain then holds every request once and nothing else of the account.
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
  const life = async (store: TxStore, ids: readonly string[], crash: Crash): Promise<'done' | 'dead'> => {
    const settings = { client: crashing(client, crash), account, store: crashingStore(store, crash), policy }
    const manager = new TxManager({ ...settings, log: silentLogger() })
    await manager.start({ fail: (error) => assert.fail(String(error)) })
    const sent = Promise.all(
      ids.map(async (id) => {
        const request = { id, label: id, to: TARGET, data: keccak256(toHex(id)), gas: 60_000n, kind: 'plain' as const }
        assert.equal((await manager.send(request)).status, 'success')
        await manager.final(id)
      }),
    ).then(() => 'done' as const)
    const outcome = await Promise.race([sent, crash.dead])
    if (outcome === 'done') await manager.stop()
    return outcome
  }
  const run = async (at: number, after: boolean): Promise<number> => {
    const ids = Array.from({ length: REQUESTS }, (_, i) => `${at}-${String(after)}-${i}`)
    for (const id of ids) wanted.push(keccak256(toHex(id)))
    const store = memoryTxStore()
    const crash = new Crash(at, after)
    if ((await life(store, ids, crash)) === 'dead') await life(store, ids, new Crash(0, false))
    return crash.points
  }
  const points = await run(0, false)
  let runs = 0
  for (let at = 1; at <= points; at++) {
    for (const after of [false, true]) {
      await run(at, after)
      runs++
      const done = await doneBy(anvil.url, account.address)
      const where = `ended ${after ? 'after' : 'before'} point ${at} of ${points}`
      assert.deepEqual([...done].sort(), [...wanted].sort(), `${where}: each request once, and nothing else`)
    }
  }
  return { points, runs }
}

function crashing(client: L1Client, crash: Crash): L1Client {
  const sendRawTransaction: L1Client['sendRawTransaction'] = (args) =>
    crash.through(() => client.sendRawTransaction(args))
  return { ...client, sendRawTransaction }
}

function crashingStore(store: TxStore, crash: Crash): TxStore {
  return {
    load: () => store.load(),
    getSidecar: (id) => store.getSidecar(id),
    put: (record) => crash.through(() => store.put(record)),
    delete: (id) => crash.through(() => store.delete(id)),
    putSidecar: (id, sidecar) => crash.through(() => store.putSidecar(id, sidecar)),
    deleteSidecar: (id) => crash.through(() => store.deleteSidecar(id)),
  }
}

async function doneBy(url: string, address: Hex): Promise<Hex[]> {
  const all = await rawTransactions(url)
  return all.filter(({ from }) => from.toLowerCase() === address.toLowerCase()).map(({ input }) => input)
}
