import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from '../../bench/benchmark.ts'
import { createHttpClient } from '../../client/http.ts'
import { createLibp2pClient } from '../../client/libp2p.ts'
import type { RecordClient } from '../../client/recordClient.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { DUPLICATE } from '../../protocol/wire.ts'
import { startAnvil } from '../support/anvil.ts'
import { withSeed } from '../support/generators/random.ts'
import { openTestLane } from '../support/laneFixture.ts'
import { verifierOf } from '../support/receipts.ts'
import { startSequencerChild } from '../support/sequencerChild.ts'
import { sequencerSettings } from '../support/sequencerFixture.ts'
import { httpAttacks } from '../support/siege/http.ts'
import { badFrames, rawBytes } from '../support/siege/libp2p.ts'
import { Tally } from '../support/siege/tally.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const SECONDS = Number(process.env.SIEGE_SECONDS ?? 12)
const HONEST = 4
const ATTACKS = ['http: garbage', 'http: slow loris', 'http: JSON bombs', 'libp2p: bad frames', 'libp2p: raw bytes']
/** What the sequencer may grow by: its own bounds for connections, bodies and records in flight, and what V8 has not collected yet. */
const MAX_GROWTH_MB = 700

test(`under siege for ${SECONDS} s over HTTP and libp2p, honest chargers are served and memory stays bounded`, {
  timeout: 300_000 + SECONDS * 10_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: 2 * HONEST, periodsBehind: 100 })
  await anvil.rpc('evm_setIntervalMining', [1])
  const settings = join(folder.path, 'settings.json')
  const batch = { asOfAheadSeconds: 2, maxAgeSeconds: 1 }
  writeFileSync(settings, JSON.stringify(sequencerSettings(lane, { folder: folder.path, libp2p: true, batch })))
  await using child = await startSequencerChild(settings)
  const port = Number(new URL(child.url).port)
  const [address] = child.multiaddrs
  const tally = new Tally()
  const latencies: number[] = []
  let accepted = 0
  /** On a machine that is busy the siege goes on until there has been one. */
  const isEnough = (): boolean => accepted > 10 * HONEST && ATTACKS.every((name) => tally.get(name) > 20)

  await withSeed('test/e2e/siege.test.ts', async (random) => {
    const done = new AbortController()
    const receipts = await verifierOf(lane, { goesOn: true })
    const clients: RecordClient[] = [createHttpClient({ url: child.url, receipts })]
    clients.push(await createLibp2pClient({ address: address!, receipts }))
    const serve = async (client: RecordClient, evse: number): Promise<void> => {
      while (!done.signal.aborted) {
        const row = lane.fleet.sign(lane.fleet.next(evse))
        const startedAt = performance.now()
        const [answer] = await client.submit({ lane: lane.lane, rows: row })
        latencies.push(performance.now() - startedAt)
        assert.ok(answer!.code === Outcome.SETTLED || answer!.code === DUPLICATE, `answered ${answer!.code}`)
        accepted++
        await sleep(20)
      }
    }
    const honest = Promise.all(Array.from({ length: HONEST }, (_, i) => serve(clients[i % 2]!, i)))
    honest.catch(() => done.abort())
    const before = child.residentMb()
    const siege = () => ({ tally, seed: random.u32(), done: done.signal })
    const attackers = [
      ...httpAttacks.map((attack, i) => attack(siege(), { port, lane: lane.lane }, `127.0.0.${10 + i}`)),
      rawBytes(siege(), address!, '127.0.0.30'),
      badFrames(siege(), address!, lane.lane),
    ]
    let most = before
    for (let i = 0; (i < SECONDS * 4 || !isEnough()) && !done.signal.aborted; i++) {
      await sleep(250)
      assert.equal(child.process.exitCode, null, 'the sequencer ended')
      most = Math.max(most, child.residentMb())
    }
    done.abort()
    await honest
    await Promise.all(attackers)
    for (const client of clients) await client.close()
    assert.ok(most - before < MAX_GROWTH_MB, `grew from ${before} to ${most} MB`)
    // It is as before for whoever comes next, from a host that had all its connections taken too.
    await using fresh = createHttpClient({ url: child.url, receipts: await verifierOf(lane) })
    const [answer] = await fresh.submit({ lane: lane.lane, rows: lane.fleet.sign(lane.fleet.next(HONEST)) })
    assert.equal(answer!.code, Outcome.SETTLED)
    const ms = { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), most: Math.max(...latencies) }
    console.log({ ...tally.all, honest: accepted, honestMs: ms, residentMb: [before, most] })
  })
  assert.ok(isEnough(), `${accepted} honest records, ${JSON.stringify(tally.all)}`)
  assert.equal(await child.end(), 0)
})
