import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { beaconSource } from '../../l1/derive/beacon.ts'
import { fetchBatchData } from '../../l1/derive/batchData.ts'
import { LaneDeriver } from '../../l1/derive/laneDeriver.ts'
import { openLaneView } from '../../l1/laneView/laneView.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { DUPLICATE, RESULT_BYTES, readResult } from '../../protocol/wire.ts'
import { startSequencer } from '../../sequencer/main.ts'
import { temporaryFolder } from '../sequencer/localLane.ts'
import { startAnvil } from '../support/anvil.ts'
import { withSeed } from '../support/generators/random.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { sequencerConfig, sequencerSettings } from '../support/sequencerFixture.ts'

const KILLS = Number(process.env.KILLS ?? 10)
const SENDERS = 6
const PROCESS = fileURLToPath(new URL('../support/sequencerProcess.ts', import.meta.url))

interface Acknowledged {
  readonly row: Buffer
  readonly position: number
  readonly amountMicro: number
}

test(`nothing acknowledged is lost when the sequencer is killed ${KILLS} times under load`, {
  timeout: 300_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: SENDERS * 2, periodsBehind: 100 })
  // From here on blocks come by themselves: batches are dated, closed and posted while processes die.
  await anvil.rpc('evm_setIntervalMining', [1])
  const options = { folder: folder.path, batch: { asOfAheadSeconds: 2, maxAgeSeconds: 1 } }
  const settings = join(folder.path, 'settings.json')
  writeFileSync(settings, JSON.stringify(sequencerSettings(lane, options)))

  const acknowledged = new Map<string, Acknowledged>()
  await withSeed('test/e2e/kill.test.ts', async (random) => {
    const target: { url: string | undefined } = { url: undefined }
    const done = new AbortController()
    const senders = Array.from({ length: SENDERS }, (_, i) => send(lane, i, target, acknowledged, done.signal))
    const running = Promise.all(senders)
    running.catch(() => done.abort())
    let last: Awaited<ReturnType<typeof start>>
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        const child = await start(settings)
        target.url = child.url
        await sleep(random.int(100, 2_500), undefined, { signal: done.signal })
        child.process.kill('SIGKILL')
        await once(child.process, 'exit')
        target.url = undefined
      }
      last = await start(settings)
      target.url = last.url
      await sleep(300)
    } finally {
      done.abort()
    }
    await running
    last.process.kill('SIGTERM')
    const [code] = (await once(last.process, 'exit')) as [number | null]
    assert.equal(code, 0)
  })
  assert.ok(acknowledged.size > 20 * KILLS, `only ${acknowledged.size} records were acknowledged`)

  {
    await using sequencer = await startSequencer(sequencerConfig(lane, options))
    await sequencer.closeBatch(lane.lane)
    await sequencer.idle(lane.lane, AbortSignal.timeout(90_000))
  }
  const onL1 = await readLane(lane)
  const positions = new Set<number>()
  for (const { row, position, amountMicro } of acknowledged.values()) {
    assert.ok(!positions.has(position), `position ${position} was given twice`)
    positions.add(position)
    assert.equal(onL1.rows[position]?.toString('hex'), row.toString('hex'), `position ${position} holds another record`)
    assert.equal(onL1.amounts[position], amountMicro)
  }
  const records = onL1.rows.map((row) => row.subarray(0, 24).toString('hex'))
  assert.equal(new Set(records).size, records.length, 'a record was taken in twice')
  console.log({ acknowledged: acknowledged.size, onL1: records.length, batches: onL1.batches, kills: KILLS })
})

/** Two chargers' gateway: sends a few records, keeps them until they are answered, then sends the next. */
async function send(
  lane: TestLane,
  sender: number,
  target: { url: string | undefined },
  acknowledged: Map<string, Acknowledged>,
  done: AbortSignal,
): Promise<void> {
  for (let round = 0; !done.aborted; round++) {
    const rows = Array.from({ length: 1 + (round % 9) }, (_, i) =>
      lane.fleet.sign(lane.fleet.next(2 * sender + (i % 2))),
    )
    for (;;) {
      const results = target.url === undefined ? undefined : await attempt(target.url, lane.lane, Buffer.concat(rows))
      if (results === undefined) {
        if (done.aborted) return
        await sleep(20)
        continue
      }
      for (const [i, { code, position, amountMicro }] of results.entries()) {
        assert.ok(code === Outcome.SETTLED || code === DUPLICATE, `record answered ${code}`)
        const row = Buffer.from(rows[i]!)
        acknowledged.set(row.toString('hex', 0, 24), { row, position, amountMicro })
      }
      break
    }
  }
}

async function attempt(url: string, lane: number, body: Buffer): Promise<ReturnType<typeof readResult>[] | undefined> {
  try {
    const response = await fetch(`${url}/v1/lanes/${lane}/records`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' },
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(10_000),
    })
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (![200, 207, 208].includes(response.status)) return undefined
    return Array.from({ length: bytes.length / RESULT_BYTES }, (_, i) => readResult(bytes, i * RESULT_BYTES))
  } catch {
    return undefined
  }
}

async function start(settings: string): Promise<{ process: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [PROCESS, settings], { stdio: ['ignore', 'pipe', 'inherit'] })
  // A test that dies must not leave a sequencer behind.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the sequencer ended with ${String(code)} before it listened`)
  })
  exited.catch(() => {})
  const lines = createInterface({ input: child.stdout! })
  const [line] = (await Promise.race([once(lines, 'line'), exited])) as [string]
  return { process: child, url: (JSON.parse(line) as { url: string }).url }
}

/** The lane by L1 alone: rows in order, what each was worth, and every root computed again. */
async function readLane(lane: TestLane): Promise<{ rows: Buffer[]; amounts: number[]; batches: number }> {
  const head = await lane.client.getBlock()
  const deriver = new LaneDeriver({ client: lane.client, contracts: lane.contracts, lane: lane.lane })
  await deriver.catchUp(head)
  const view = await openLaneView({ client: lane.client, contracts: lane.contracts, lane: lane.lane })
  await view.catchUp(head)
  const beacon = beaconSource({ url: lane.anvil.url, blockId: 'number', secondsPerSlot: 12, timeoutMs: 9_000 })
  const sources = { client: lane.client, contracts: lane.contracts, blobs: { sources: [beacon] } }
  const state = new LaneState()
  const rows: Buffer[] = []
  const amounts: number[] = []
  for (const batch of deriver.history.live) {
    const settlement = new Settlement(state, view.rules, batch.header.asOf)
    const { chunks } = await fetchBatchData(sources, batch)
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.body.length; at += 88) {
        const outcome = settlement.settle(chunk.body, at, true)
        if (outcome === Outcome.EMPTY) continue
        assert.equal(outcome, Outcome.SETTLED)
        rows.push(Buffer.from(chunk.body.subarray(at, at + 88)))
        amounts.push(settlement.amountMicro)
      }
    }
    assert.equal(`0x${Buffer.from(state.root()).toString('hex')}`, batch.header.postRoot)
  }
  return { rows, amounts, batches: deriver.history.live.length }
}
