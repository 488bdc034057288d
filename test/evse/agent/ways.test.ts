import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'smol-toml'
import { startDevnetBroker } from '../../../devnet/broker.ts'
import { PERIOD_SECONDS } from '../../../protocol/limits.ts'
import { type Sequencer, startSequencer } from '../../../sequencer/main.ts'
import { startAnvil } from '../../support/anvil.ts'
import { CLI } from '../../support/commandLine.ts'
import { openTestLane, type TestLane } from '../../support/laneFixture.ts'
import { sequencerConfig } from '../../support/sequencerFixture.ts'
import { makeSoftHsm, PIN, SOFTHSM_MODULE, skipWithoutSoftHsm, TOKEN } from '../../support/softHsm.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { evseKeyFile, writeEvseFiles } from '../support/evseOnLane.ts'
import { Firmware, spawnAgent } from '../support/firmware.ts'

const PERIODS = 2
const INTERVALS = PERIODS * 60
/** 5 040 W. */
const WH_AN_INTERVAL = 21
const TOTAL = { count: PERIODS, energyWh: INTERVALS * WH_AN_INTERVAL }

interface Place extends AsyncDisposable {
  readonly lane: TestLane
  readonly folder: string
  readonly sequencer: Sequencer
}

/** A lane whose chain has this machine's clock, so that the agent runs as it would in the field, and its sequencer. */
async function openPlace(): Promise<Place> {
  await using opened = new AsyncDisposableStack()
  const nowSeconds = Math.floor(Date.now() / 1_000)
  const anvil = await startAnvil({ timestamp: nowSeconds - 1_800 - (PERIODS + 6) * PERIOD_SECONDS })
  opened.defer(() => anvil.stop())
  const folder = opened.use(await temporaryFolder())
  const lane = await openTestLane({ anvil, evses: 1, periodsBehind: PERIODS })
  await anvil.warpTo(Math.floor(Date.now() / 1_000))
  await anvil.mine(2)
  await anvil.rpc('evm_setIntervalMining', [1])
  const sequencer = opened.use(await startSequencer(sequencerConfig(lane, { folder: folder.path, libp2p: true })))
  const all = opened.move()
  return { lane, folder: folder.path, sequencer, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** Plays half an hour of a discharge to the agent, and waits until the lane's contract has earned it. */
async function discharge(
  { lane, folder, sequencer }: Place,
  files: Omit<Parameters<typeof writeEvseFiles>[2], 'socket'>,
): Promise<void> {
  const socket = join(folder, 'lines')
  const agent = spawnAgent(writeEvseFiles(folder, lane, { ...files, socket }))
  try {
    const firmware = new Firmware(socket)
    await firmware.connect()
    const firstMs = lane.firstPeriod * PERIOD_SECONDS * 1_000
    for (let i = 0; i <= INTERVALS; i += 4) {
      const atMs = firstMs + i * 15_000
      const soc = Math.round((90 - (i * WH_AN_INTERVAL) / 600) * 100) / 100
      const sample = { atMs, exportWh: 1_000_000 + i * WH_AN_INTERVAL, socPercent: soc, tempC: 30 }
      const event = i === 0 ? 'started' : i === INTERVALS ? 'ended' : 'updated'
      const named = { transaction: 't1', seqNo: i / 4, atMs, contract: 0, offline: true }
      firmware.send({ type: 'transaction', event, ...named, samples: [sample] })
    }
    const earned = async (): Promise<{ count: number; energyWh: number }> => {
      const answer = await fetch(`${sequencer.url}/v1/lanes/${lane.lane}/contracts/0`)
      if (!answer.ok) return { count: 0, energyWh: 0 }
      const { now } = (await answer.json()) as { now: { count: number; energyWh: number } }
      return { count: now.count, energyWh: now.energyWh }
    }
    const deadline = performance.now() + 240_000
    let found = await earned()
    while ((found.count < TOTAL.count || firmware.unacknowledged > 0) && performance.now() < deadline) {
      assert.equal(agent.exitCode, null, 'the agent ended')
      await sleep(50)
      found = await earned()
    }
    assert.equal(firmware.unacknowledged, 0)
    assert.deepEqual(found, TOTAL)
    const exited = once(agent, 'exit')
    agent.kill('SIGTERM')
    assert.deepEqual(await exited, [0, null])
  } finally {
    agent.kill('SIGKILL')
  }
}

test('records of the agent’s process reach the lane by libp2p', { timeout: 300_000 }, async () => {
  await using place = await openPlace()
  await discharge(place, { sequencers: [place.sequencer.multiaddrs[0]!] })
})

test('records of the agent’s process, signed in a PKCS#11 token, reach the lane by HTTP', {
  timeout: 300_000,
  skip: await skipWithoutSoftHsm(),
}, async () => {
  await using place = await openPlace()
  await using hsm = await makeSoftHsm()
  const keyFile = evseKeyFile(hsm.folder)
  writeFileSync(keyFile, place.lane.fleet.keys[0]!.pem!, { mode: 0o600 })
  const key = ['--import', keyFile, '--label', 'charger', '--id', '01']
  execFileSync('softhsm2-util', [...key, '--token', TOKEN, '--pin', PIN])
  const signer = `kind = "pkcs11"\nmodule = "${SOFTHSM_MODULE}"\ntoken = "${TOKEN}"\npinFile = "${hsm.pinFile}"\nkeyLabel = "charger"`
  await discharge(place, { sequencers: [place.sequencer.url], signer })
})

test('records of the agent’s process reach the lane by MQTT and a gateway’s process, receipts come back', {
  timeout: 300_000,
}, async () => {
  await using place = await openPlace()
  const { lane, folder, sequencer } = place
  await using broker = await startDevnetBroker()
  const config = join(folder, 'gateway.toml')
  writeFileSync(
    config,
    `dataDir = "${join(folder, 'gateway')}"
[l1]
rpcUrl = "${lane.anvil.url}"
pollMs = 100
follow = { kind = "depth", blocks = 0 }
${stringify({ contracts: { ...lane.contracts } })}
[[sequencers]]
lane = ${lane.lane}
addresses = ["${sequencer.url}"]
[[fleet.evses]]
name = "charger-1"
lane = ${lane.lane}
slot = 0
[mqtt]
url = "${broker.url}"
username = "backfeed-gateway"
[http]
port = 0
[log]
level = "error"
`,
  )
  const gateway = spawn(process.execPath, [CLI, 'gateway', '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    await discharge(place, { sequencers: [], more: `[mqtt]\nurl = "${broker.url}"\nusername = "charger-1"\n` })
    assert.equal(gateway.exitCode, null, 'the gateway ended')
    const exited = once(gateway, 'exit')
    gateway.kill('SIGTERM')
    assert.deepEqual(await exited, [0, null])
  } finally {
    gateway.kill('SIGKILL')
  }
})
