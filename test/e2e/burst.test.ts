import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { quantile } from '../../bench/benchmark.ts'
import { createLibp2pClient } from '../../client/libp2p.ts'
import { PERIOD_INTERVALS } from '../../protocol/limits.ts'
import { MAX_REQUEST_RECORDS } from '../../protocol/wire.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'
import { startAnvil } from '../support/anvil.ts'
import { Honest } from '../support/burst/honest.ts'
import { HttpHost } from '../support/burst/httpHost.ts'
import { flood } from '../support/burst/libp2pFlood.ts'
import { Offer } from '../support/burst/offer.ts'
import { openTestLane } from '../support/laneFixture.ts'
import { verifierOf } from '../support/receipts.ts'
import { type SequencerChild, startSequencerChild } from '../support/sequencerChild.ts'
import { sequencerSettings } from '../support/sequencerFixture.ts'
import { Tally } from '../support/siege/tally.ts'

const SECONDS = Number(process.env.BURST_SECONDS ?? 3)
const TIMES = 10
const RATE_MS = 1_000
/** What the sequencer may grow by: its bounds for bodies and records in flight, and what V8 has not collected yet. */
const MAX_GROWTH_MB = 500
const VERIFY = { workers: 1, slabs: 32, rowsPerSlab: 256 }

// Chargers, by whose they are.
const STOCK = { first: 0, evses: 8, requests: 4 }
const CHARGERS = { first: 8, evses: 4 }
const PEERS = { first: 12, evses: 2 }
const GATEWAY = { first: 14, evses: 4, requests: 2 }
const EVSES = 18

test(`ten times what it can do: refused at the door within bounded memory, and who obeys gets in`, {
  timeout: 300_000 + SECONDS * 40_000,
}, async () => {
  await using stack = new AsyncDisposableStack()
  const anvil = stack.use(await startAnvil())
  const folder = stack.use(await temporaryFolder())
  const lane = await openTestLane({ anvil, evses: EVSES, periodsBehind: 100 })
  await anvil.rpc('evm_setIntervalMining', [1])
  const keys = await Promise.all(Array.from({ length: PEERS.evses }, () => generateKeyPair('Ed25519')))
  const settings = join(folder.path, 'settings.json')
  const batch = { asOfAheadSeconds: 2, maxAgeSeconds: 1 }
  const knownPeers = keys.map(({ publicKey }) => publicKey.toString())
  const config = {
    ...sequencerSettings(lane, { folder: folder.path, batch }),
    verify: VERIFY,
    libp2p: { listen: ['/ip4/127.0.0.1/tcp/0'], knownPeers },
  }
  writeFileSync(settings, JSON.stringify(config))
  const child = stack.use(await startSequencerChild(settings))
  const address = child.multiaddrs[0]!
  const port = Number(new URL(child.url).port)
  let hosts = 0
  const host = (connections = 1): HttpHost =>
    stack.use(new HttpHost({ port, lane: lane.lane, from: `127.0.1.${++hosts}`, connections }))

  const receipts = await verifierOf(lane, { goesOn: true })
  const honest = new Honest(lane, receipts)
  const tally = new Tally()
  const stock = Array.from({ length: STOCK.requests }, () => honest.sign(STOCK.first, STOCK.evses, MAX_REQUEST_RECORDS))
  const stockHost = host()
  for (const rows of stock) await honest.overHttp(stockHost, rows)
  const offer = new Offer(stock, tally)
  const few = [host(), host(), host()]
  const recordsPerSecond = { before: await offer.sustain(few, RATE_MS, 'before'), after: 0 }
  const burst = TIMES * recordsPerSecond.before

  // Chargers that send a little at a time, from hosts and as peers of their own: many times below anybody's share.
  const chargers = Array.from({ length: CHARGERS.evses }, () => host())
  const clients = await Promise.all(
    keys.map((privateKey) => createLibp2pClient({ address, receipts, privateKey, retry: { attempts: 1 } })),
  )
  for (const client of clients) stack.use(client)
  const serve = (done: AbortSignal): Promise<void>[] => [
    ...chargers.map((from, i) => honest.feed(CHARGERS.first + i, (rows) => honest.overHttp(from, rows), done)),
    ...clients.map((client, i) => honest.feed(PEERS.first + i, (rows) => honest.overLibp2p(client, rows), done)),
  ]
  const pourLibp2p = (name: string, done: AbortSignal): Promise<void> =>
    flood({
      address,
      lane: lane.lane,
      next: () => offer.next(),
      onAnswered: (kind) => tally.add(`${name}: ${kind}`),
      onHeldBack: () => tally.add(`${name}: held back by flow control`),
      done,
    })

  const watched = watch(child)
  honest.take()
  // One host alone with many connections, one peer alone that waits for nothing: nobody else is refused for its sake.
  const greedy = host(64)
  await during(SECONDS * 500, (done) => [...serve(done), offer.pour(greedy, burst, 'one host', done)])
  const besideHost = honest.take()
  await during(SECONDS * 500, (done) => [...serve(done), pourLibp2p('one peer', done)])
  const besidePeer = honest.take()

  offer.answerMs.length = 0
  const crowd = Array.from({ length: 12 }, () => host(16))
  const gatewayHost = host()
  const gateway = async (): Promise<void> => {
    for (let i = 0; i < GATEWAY.requests; i++) {
      await honest.overHttp(gatewayHost, honest.sign(GATEWAY.first, GATEWAY.evses, MAX_REQUEST_RECORDS))
    }
  }
  await during(SECONDS * 1_000, (done) => [
    ...serve(done),
    gateway(),
    ...crowd.map((from) => offer.pour(from, burst / crowd.length, 'many hosts', done)),
    pourLibp2p('beside them a peer', done),
  ])
  const besideAll = honest.take()
  const burstMs = [...offer.answerMs]
  recordsPerSecond.after = await offer.sustain(few, RATE_MS, 'after')
  const most = await watched()

  console.log({
    ...tally.all,
    recordsPerSecond,
    answeredOfBurst: times(burstMs),
    honest: Object.fromEntries(
      Object.entries({ besideHost, besidePeer, besideAll }).map(([name, { requests, refused, answerMs }]) => [
        name,
        { requests, refused, ...times(answerMs) },
      ]),
    ),
    ...most,
  })
  assert.deepEqual([besideHost.refused, besidePeer.refused], [0, 0], 'one sender took the room of others')
  for (const { requests } of [besideHost, besidePeer, besideAll]) assert.ok(requests >= CHARGERS.evses + PEERS.evses)
  // Refused, and not kept for later: what waits is never more than the engine holds.
  assert.ok(tally.get('one host: PEER_LIMIT') > 0)
  assert.ok(tally.get('many hosts: OVERLOADED') > tally.get('many hosts: answered'))
  assert.ok(tally.get('one peer: refused') > 0 && tally.get('one peer: held back by flow control') > 0)
  assert.ok(most.inFlight <= VERIFY.slabs * VERIFY.rowsPerSlab, `${most.inFlight} records waited`)
  assert.ok(most.grownMb < MAX_GROWTH_MB, `grew by ${most.grownMb} MB`)
  // Each honest record is in, once, and nothing else.
  const status = (await (await fetch(`${child.url}/v1/lanes/${lane.lane}`)).json()) as Record<string, number>
  const sentOf = (evse: number): number => lane.fleet.nextStart(evse) - lane.firstPeriod * PERIOD_INTERVALS
  const sent = Array.from({ length: EVSES }, (_, evse) => sentOf(evse)).reduce((sum, count) => sum + count)
  assert.deepEqual([status.accepted, status.settled, honest.positions.size], [sent, sent, sent])
  assert.equal(await child.end(), 0)
})

/** Runs them for so long; each ends by itself when told that it is over. A failure ends all. */
async function during(ms: number, start: (done: AbortSignal) => Promise<void>[]): Promise<void> {
  const done = new AbortController()
  const running = Promise.all(start(done.signal))
  running.catch(() => done.abort())
  await sleep(ms, undefined, { signal: done.signal }).catch(() => {})
  done.abort()
  await running
}

/** Looks at the sequencer until asked for the most that was seen. */
function watch({
  residentMb,
  adminUrl,
}: SequencerChild): () => Promise<{ inFlight: number; fromMb: number; grownMb: number }> {
  const done = new AbortController()
  const fromMb = residentMb()
  const most = { inFlight: 0, fromMb, grownMb: 0 }
  const look = async (): Promise<void> => {
    while (!done.signal.aborted) {
      most.grownMb = Math.max(most.grownMb, residentMb() - fromMb)
      const text = await (await fetch(`${adminUrl}/metrics`)).text()
      const [, inFlight] = /^backfeed_ingress_records_in_flight\{.*\} (\d+)/m.exec(text)!
      most.inFlight = Math.max(most.inFlight, Number(inFlight))
      await sleep(100)
    }
  }
  const looking = look()
  looking.catch(() => {}) // told to who asks
  return async () => {
    done.abort()
    await looking
    return most
  }
}

function times(ms: readonly number[]): object {
  const [p50, p99, most] = [quantile(ms, 0.5), quantile(ms, 0.99), Math.max(...ms)].map(Math.round)
  return { p50, p99, most }
}
