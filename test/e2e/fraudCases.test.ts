import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseEventLogs } from 'viem'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { accountFromKey } from '../../l1/client.ts'
import { sendCall } from '../../l1/contractCall.ts'
import { SLASH_WEI, WINDOW_SECONDS } from '../../protocol/limits.ts'
import { CaseFiles } from '../../prover/respond/caseFile.ts'
import { commitFraudData, fraudCommitment } from '../../prover/respond/fraudCall.ts'
import { type Anvil, anvilAccount, anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { flip } from '../support/evil/lies.ts'
import { startTestProver, type TestProver } from '../support/evil/testProver.ts'
import { forward, startHostileNode } from '../support/hostileNode.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { untilWithin } from '../support/until.ts'

const PROVER = 4
const RIVAL = 6
const THIEF = 7

const until = untilWithin(180)
/** After which a service leaves behind what does not stop. */
const STOP_TIMEOUT_MS = 30_000

/** The first of two waits for the second. */
function pairing(): () => Promise<void> {
  let waiting: (() => void) | undefined
  return async () => {
    const first = waiting
    waiting = undefined
    if (first !== undefined) first()
    else await new Promise<void>((resolve) => (waiting = resolve))
  }
}

describe('cases', () => {
  let anvil: Anvil
  let fixture: TestLane
  let evil: EvilLane
  before(async () => {
    anvil = await startAnvil()
    fixture = await openTestLane({ anvil })
    evil = new EvilLane(fixture)
  })
  after(async () => await anvil?.stop())

  const lie = () => ({ bodies: [fixture.fleet.rows(3)], lie: { name: 'root', chunk: 0, claim: flip } })
  const events = async (eventName: 'FraudProven' | 'FraudCommitted') =>
    await fixture.client.getContractEvents({
      address: fixture.contracts.rollup,
      abi: rollupAbi,
      eventName,
      fromBlock: 0n,
    })

  test('of two provers that race into one block, one is paid and both come to rest', async () => {
    // A prover that sees the other's proof wait in the pool sends none: only transactions that reach the node together race.
    await using node = await startHostileNode(anvil.url)
    const inPairs = pairing()
    node.play(({ method }) => (method === 'eth_sendRawTransaction' ? { kind: 'held', until: inPairs() } : forward))
    const provers = [
      await startTestProver(fixture, { account: PROVER, rpc: node.url }),
      await startTestProver(fixture, { account: RIVAL, rpc: node.url }),
    ]
    try {
      await Promise.all(provers.map((prover) => prover.idle()))
      const before = (await events('FraudProven')).length
      const committed = (await events('FraudCommitted')).length
      const tip = await evil.tip()
      await evil.postLie(lie(), 'calldata')
      await anvil.setAutomine(false)
      const pooled = async (): Promise<number> =>
        Number((await anvil.rpc<{ pending: string }>('txpool_status')).pending)
      await until('both commitments wait', async () => (await pooled()) === 2)
      await anvil.mine()
      assert.equal((await events('FraudCommitted')).length, committed + 2)
      await until('both proofs wait', async () => (await pooled()) === 2)
      await anvil.mine()
      await anvil.setAutomine(true)
      await Promise.all(provers.map((prover) => prover.idle()))
      assert.equal(await evil.tip(), tip)
      assert.equal((await events('FraudProven')).length, before + 1)
      const rewards = provers.map((prover) => prover.status().frauds.rewardWei).sort()
      assert.deepEqual(rewards, [0n, SLASH_WEI / 2n])
      for (const prover of provers) assert.deepEqual(prover.status().problems, [])
    } finally {
      await anvil.setAutomine(true)
      for (const prover of provers) await prover.stop()
    }
    await evil.bondAgain()
  })

  test('a prover that stops between commitment and proof goes on with its old salt', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'backfeed-case-'))
    try {
      const first = await startTestProver(fixture, { account: PROVER, dataDir })
      await first.idle()
      const committed = (await events('FraudCommitted')).length
      const tip = await evil.tip()
      const posted = await evil.postLie(lie(), 'calldata')
      await anvil.setAutomine(false)
      await until(
        'the commitment waits',
        async () => (await anvil.rpc<{ pending: string }>('txpool_status')).pending === '0x1',
      )
      const stopsAt = performance.now()
      await first.stop()
      assert.ok(performance.now() - stopsAt < STOP_TIMEOUT_MS, 'it does not wait for the block')
      await anvil.mine()
      await anvil.setAutomine(true)
      assert.equal((await events('FraudCommitted')).length, committed + 1)
      const file = await new CaseFiles(join(dataDir, 'cases')).load(posted.headerHash)
      assert.equal(file?.chunk, 0)

      const second = await startTestProver(fixture, { account: PROVER, dataDir })
      await second.idle()
      await second.stop()
      assert.equal(await evil.tip(), tip)
      assert.equal((await events('FraudCommitted')).length, committed + 1, 'no second commitment')
      assert.deepEqual(readdirSync(join(dataDir, 'cases')), [], 'the case is closed')
    } finally {
      await anvil.setAutomine(true)
      rmSync(dataDir, { recursive: true })
    }
    await evil.bondAgain()
  })

  test('a commitment that somebody copied and sent first is as good as its own', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'backfeed-case-'))
    try {
      const tip = await evil.tip()
      const posted = await evil.postLie(lie(), 'calldata')
      const salt = `0x${'07'.repeat(32)}` as const
      const { headerHash } = posted
      await new CaseFiles(join(dataDir, 'cases')).save({
        headerHash: headerHash as `0x${string}`,
        chunk: 0,
        salt,
        sinceBlock: Number(posted.receipt.blockNumber),
        reveals: 0,
      })
      const prover = anvilAccount(PROVER).address
      const commitment = fraudCommitment({ headerHash, chunk: 0, prover, salt })
      const thief = accountFromKey(anvilPrivateKey(THIEF))
      await sendCall(
        { client: fixture.client, account: thief },
        { to: fixture.contracts.rollup, data: commitFraudData(commitment), label: 'copy' },
      )
      await using running = await startTestProver(fixture, { account: PROVER, dataDir })
      await running.idle()
      assert.equal(await evil.tip(), tip)
      assert.equal(running.status().frauds.rewardWei, SLASH_WEI / 2n)
    } finally {
      rmSync(dataDir, { recursive: true })
    }
    await evil.bondAgain()
  })

  test('the same false batch posted again is a new case', async () => {
    await using prover = await startTestProver(fixture, { account: PROVER })
    const tip = await evil.tip()
    const story = lie()
    for (let round = 1; round <= 2; round++) {
      await evil.postLie(story, 'calldata')
      await prover.idle()
      assert.equal(await evil.tip(), tip)
      assert.equal(prover.status().frauds.proven, round)
      await evil.bondAgain()
    }
  })

  test('missing blobs are an alarm and not a verdict; once they are there, the batch is judged, and archived', async () => {
    const gate = await startGate(anvil.url)
    const dataDir = mkdtempSync(join(tmpdir(), 'backfeed-case-'))
    try {
      const tip = await evil.tip()
      const prover = await startTestProver(fixture, { account: PROVER, dataDir, beacon: gate.url })
      await prover.idle()
      gate.isOpen = false
      await evil.postHonest([fixture.fleet.rows(2)], 'blob')
      await until('the alarm', () => prover.status().problems.some(({ code }) => code === 'DATA_MISSING'))
      assert.equal((await fetch(`${prover.url}/healthz`)).status, 503)
      assert.equal(prover.status().lanes[0]!.checkedIndex, tip)
      gate.isOpen = true
      await prover.idle()
      assert.equal(prover.status().lanes[0]!.checkedIndex, tip + 1n)
      assert.equal((await fetch(`${prover.url}/healthz`)).status, 200)
      await prover.stop()

      gate.isOpen = false
      await using again = await startTestProver(fixture, { account: PROVER, dataDir, beacon: gate.url })
      await again.idle()
      assert.equal(again.status().lanes[0]!.checkedIndex, tip + 1n, 'from the archive')
    } finally {
      gate.server.close()
      rmSync(dataDir, { recursive: true })
    }
  })

  test('an L1 that goes silent is a problem of health, and nothing is lost by it', async () => {
    const gate = await startGate(anvil.url)
    try {
      await using prover = await startTestProver(fixture, { account: PROVER, rpc: gate.url })
      await prover.idle()
      gate.isOpen = false
      await until('the problem', () => prover.status().problems.length > 0)
      const tip = await evil.tip()
      await evil.postLie(lie(), 'calldata')
      await sleep(300)
      gate.isOpen = true
      await until('the answer', async () => (await evil.tip()) === tip)
      await prover.idle()
      assert.deepEqual(prover.status().problems, [])
    } finally {
      gate.server.close()
    }
    await evil.bondAgain()
  })

  test('without a key it reports and sends nothing', async () => {
    await using watching = await startTestProver(fixture, {})
    const tip = await evil.tip()
    await evil.postLie(lie(), 'calldata')
    await until('the report', () => watching.status().problems.some(({ code }) => code === 'FALSE_BATCH'))
    assert.equal(await evil.tip(), tip + 1n)
    await using prover = await startTestProver(fixture, { account: PROVER })
    await prover.idle()
    await watching.idle()
    assert.deepEqual(watching.status().problems, [])
    assert.equal(await evil.tip(), tip)
    await evil.bondAgain()
  })

  test('a reorganisation that takes a checked batch back leaves the state of the batches that are left', async () => {
    await using prover = await startTestProver(fixture, { account: PROVER })
    await prover.idle()
    const tip = await evil.tip()
    const lane = () => prover.status().lanes[0]!
    await anvil.mine(3)
    const { header } = await evil.postHonest([fixture.fleet.rows(4)], 'calldata')
    await prover.idle()
    assert.equal(lane().checkedIndex, header.index)
    await anvil.reorg(1)
    evil.honest.pop()
    await anvil.mine(1)
    assert.equal(await evil.tip(), tip, 'the batch is gone')
    await prover.idle()
    assert.equal(lane().checkedIndex, tip)
    const other = await evil.postHonest([fixture.fleet.rows(22), fixture.fleet.rows(6)], 'calldata')
    await prover.idle()
    assert.equal(lane().checkedIndex, other.header.index)
    assert.deepEqual(prover.status().problems, [])
    assert.equal(await evil.tip(), other.header.index, 'and is not taken for a lie')
  })

  test('a prover that comes from nothing checks the whole lane, also past what fell; past the window it can only cry', async () => {
    await using fresh = await startTestProver(fixture, { account: RIVAL })
    await fresh.idle()
    assert.equal(fresh.status().lanes[0]!.checkedIndex, await evil.tip())
    assert.equal(fresh.status().checked.falseBatches, 0, 'fallen batches are not looked at')
    await fresh.stop()

    const posted = await evil.postLie(lie(), 'calldata')
    await anvil.warp(WINDOW_SECONDS + 1)
    await using late: TestProver = await startTestProver(fixture, { account: RIVAL })
    await until('the cry', () => late.status().problems.some(({ code }) => code === 'FALSE_BATCH_FINAL'))
    assert.equal(late.status().frauds.tooLate, 1)
    assert.equal(parseEventLogs({ abi: rollupAbi, eventName: 'BatchSubmitted', logs: posted.receipt.logs }).length, 1)
  })
})

/** A way to the node that can be shut: L1's calls and blobs then fail. */
async function startGate(target: string): Promise<{ url: string; server: Server; isOpen: boolean }> {
  const server = createServer(async (request, response) => {
    try {
      if (!gate.isOpen) return response.writeHead(404).end('{}')
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const body = request.method === 'POST' ? Buffer.concat(parts) : null
      const method = request.method ?? 'GET'
      const answer = await fetch(`${target}${request.url}`, {
        method,
        body,
        headers: { 'content-type': 'application/json' },
      })
      return response.writeHead(answer.status).end(await answer.text())
    } catch {
      return response.writeHead(502).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const gate = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, isOpen: true }
  return gate
}
