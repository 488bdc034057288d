import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../../devnet/freePort.ts'
import type { BrokerConfig } from '../../../evse/mqtt/config.ts'
import { withSeed } from '../../support/generators/random.ts'
import { byNight } from '../../support/nightly.ts'
import { overMosquitto } from './brokers.ts'
import { withoutMosquitto } from './mosquitto.ts'
import { Operator } from './operator.ts'
import { nameOf, openEvse, openSite, plainBroker, quarter, temporaryFolder } from './site.ts'

// Brokers die while signed records are under way: before they have it, between the four steps of QoS 2, with the gateway's answer in hand.

/** Whoever is cut off again and again waits longer each time, up to half a minute. */
const KILLS = Number(process.env.KILLS ?? (byNight === false ? 8 : 4))
const EVSES = 4
/** Mosquitto writes its sessions this often, in the midst of which it may die too, and comes back with what was true then. */
const AUTOSAVE = 'autosave_interval 1'
const PROGRAM = fileURLToPath(new URL('./brokerProcess.ts', import.meta.url))

interface Mortal {
  readonly gateway: BrokerConfig
  evse(slot: number): Promise<BrokerConfig>
  /** kill -9, and a new process on the same port after a while. */
  crash(downMs: number): Promise<void>
}

const MORTALS: readonly {
  readonly name: string
  readonly skip: string | false
  open(t: TestContext): Promise<Mortal>
}[] = [
  { name: "the devnet's broker", skip: false, open: devnetBroker },
  {
    name: 'mosquitto',
    skip: withoutMosquitto,
    open: (t) => overMosquitto(t, (conf) => conf.replace(/^autosave_interval \d+$/m, AUTOSAVE)),
  },
]

async function devnetBroker(t: TestContext): Promise<Mortal> {
  const port = await freePort()
  let running: ChildProcess | undefined
  const start = async (): Promise<string> => {
    running = spawn(process.execPath, [PROGRAM, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [url] = (await once(createInterface({ input: running.stdout! }), 'line')) as [string]
    return url
  }
  const kill = async (): Promise<void> => {
    const exited = once(running!, 'exit')
    running!.kill('SIGKILL')
    await exited
  }
  const url = await start()
  t.after(kill)
  const named = (username: string): BrokerConfig => ({ ...plainBroker(url), username })
  return {
    gateway: named('backfeed-gateway'),
    evse: async (slot) => named(nameOf(slot)),
    crash: async (downMs) => {
      await kill()
      await sleep(downMs)
      await start()
    },
  }
}

for (const { name, skip, open } of MORTALS) {
  for (const recordsQos of [1, 2] as const) {
    const title = `${name}, QoS ${recordsQos}: killed ${KILLS} times while signed records flow, each settles once and gets its receipt`
    test(title, { skip, timeout: 120_000 + KILLS * 60_000 }, async (t) => {
      const broker = await open(t)
      const operator = new Operator()
      const site = await openSite({ broker: broker.gateway, folder: await temporaryFolder(t), evses: EVSES, operator })
      t.after(() => site.close())
      const evses = await Promise.all(
        Array.from({ length: EVSES }, async (_, slot) =>
          openEvse(slot, await broker.evse(slot), { recordsQos, timeoutMs: 500 }),
        ),
      )
      for (const evse of evses) {
        t.after(() => evse.close())
        evse.start()
      }
      let rows = 0
      const done = new AbortController()
      const feeding = (async () => {
        for (let index = 20_000; !done.signal.aborted; index--) {
          for (const evse of evses) evse.feed(quarter(index))
          rows += EVSES
          await sleep(25)
        }
      })()
      let answered = 0
      await withSeed('test/gateway/mqtt/brokerKill.test.ts', async (random) => {
        for (let kill = 0; kill < KILLS; kill++) {
          const before = operator.credited.size
          // Some in the midst of coming back, some when records flow again.
          if (random.chance(0.7)) while (operator.credited.size < before + EVSES) await sleep(10)
          await sleep(random.int(0, 150))
          await broker.crash(random.int(0, 100))
        }
        answered = operator.credited.size
      }).finally(() => done.abort())
      await feeding
      await Promise.all(evses.map((evse) => evse.whenDelivered()))
      assert.equal(operator.credited.size, rows)
      assert.equal(
        operator.creditedWh,
        evses.reduce((sum, evse) => sum + evse.meteredWh, 0),
      )
      for (const { answers, errors } of evses) {
        assert.equal(answers.length, rows / EVSES)
        assert.equal(new Set(answers.map(({ position }) => position)).size, answers.length)
        assert.ok(answers.every(({ receipt }) => receipt !== undefined))
        assert.deepEqual(errors, [])
      }
      assert.ok(answered > 0)
      t.diagnostic(`${rows} records, ${answered} of them taken in between kills, ${operator.asked} asked`)
    })
  }
}
