import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PERIOD_SECONDS } from '../../../protocol/limits.ts'
import { startAnvil } from '../../support/anvil.ts'
import { withSeed } from '../../support/generators/random.ts'
import { openTestLane } from '../../support/laneFixture.ts'
import { type SequencerChild, startSequencerChild } from '../../support/sequencerChild.ts'
import { sequencerSettings } from '../../support/sequencerFixture.ts'
import { cuttableProxy } from '../support/cuttableProxy.ts'
import { writeEvseFiles } from '../support/evseOnLane.ts'
import { Firmware, spawnAgent } from '../support/firmware.ts'
import { byNight } from '../../support/nightly.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'

const KILLS = Number(process.env.KILLS ?? (byNight === false ? 12 : 5))
const PERIODS = 6
const INTERVALS = PERIODS * 60
/** 5 040 W. */
const WH_AN_INTERVAL = 21

interface LaneContract {
  readonly now: { readonly energyWh: number; readonly count: number }
}

test(`every record settles exactly once, though the agent is killed ${KILLS} times, links are cut and the sequencer restarts`, {
  timeout: 600_000,
}, async () => {
  // The chain's clock is this machine's, so that the agent runs as it would in the field.
  const nowSeconds = Math.floor(Date.now() / 1_000)
  await using anvil = await startAnvil({ timestamp: nowSeconds - 1_800 - (PERIODS + 6) * PERIOD_SECONDS })
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: 1, periodsBehind: PERIODS })
  await anvil.warpTo(Math.floor(Date.now() / 1_000))
  await anvil.mine(2)
  await anvil.rpc('evm_setIntervalMining', [1])
  const settings = join(folder.path, 'settings.json')
  const batch = { asOfAheadSeconds: 2, maxAgeSeconds: 1 }
  writeFileSync(settings, JSON.stringify(sequencerSettings(lane, { folder: folder.path, batch })))

  await using proxy = await cuttableProxy()
  const socket = join(folder.path, 'lines')
  const config = writeEvseFiles(folder.path, lane, {
    sequencers: [`http://127.0.0.1:${proxy.port}`],
    socket,
    more: '[metering]\nrecordSeconds = 15\n',
  })
  const firmware = new Firmware(socket)
  const children: ChildProcess[] = []
  let sequencer: SequencerChild | undefined
  try {
    await withSeed('test/evse/agent/kill.test.ts', async (random) => {
      sequencer = await startSequencerChild(settings)
      proxy.target = Number(new URL(sequencer.url).port)
      const firstMs = lane.firstPeriod * PERIOD_SECONDS * 1_000
      const send = (from: number, to: number): void => {
        for (let i = from; i < to; i++) {
          firmware.send({
            type: 'transaction',
            event: i === 0 ? 'started' : i === INTERVALS ? 'ended' : 'updated',
            transaction: 't1',
            seqNo: i,
            atMs: firstMs + i * 15_000,
            contract: 0,
            offline: true,
            samples: [
              {
                atMs: firstMs + i * 15_000,
                exportWh: 1_000_000 + i * WH_AN_INTERVAL,
                socPercent: Math.round((90 - (i * WH_AN_INTERVAL) / 600) * 100) / 100,
                tempC: 30,
              },
            ],
          })
        }
      }
      let sent = 0
      for (let kill = 0; kill < KILLS; kill++) {
        const agent = spawnAgent(config)
        children.push(agent)
        await firmware.connect()
        const next = Math.min(INTERVALS + 1, Math.ceil(((kill + 1) * (INTERVALS + 1)) / KILLS))
        send(sent, next)
        sent = next
        await sleep(random.int(0, 400))
        if (random.int(0, 1) === 0) proxy.cut()
        if (random.int(0, 4) === 0) firmware.disconnect()
        if (random.int(0, 3) === 0) {
          sequencer.process.kill(random.int(0, 1) === 0 ? 'SIGKILL' : 'SIGTERM')
          await once(sequencer.process, 'exit')
          proxy.target = undefined
          sequencer = await startSequencerChild(settings)
          proxy.target = Number(new URL(sequencer.url).port)
        }
        await sleep(random.int(0, 400))
        agent.kill('SIGKILL')
        await once(agent, 'exit')
      }
      const last = spawnAgent(config)
      children.push(last)
      await firmware.connect()
      const contract = async (): Promise<LaneContract['now']> => {
        const answer = await fetch(`${sequencer!.url}/v1/lanes/${lane.lane}/contracts/0`)
        return answer.ok ? ((await answer.json()) as LaneContract).now : { energyWh: 0, count: 0 }
      }
      let found = await contract()
      const deadline = performance.now() + 240_000
      while ((found.count < INTERVALS || firmware.unacknowledged > 0) && performance.now() < deadline) {
        await sleep(100)
        found = await contract()
      }
      assert.equal(firmware.unacknowledged, 0)
      assert.deepEqual(
        { count: found.count, energyWh: found.energyWh },
        { count: INTERVALS, energyWh: INTERVALS * WH_AN_INTERVAL },
      )
      firmware.onLine = () => {}
      const exited = once(last, 'exit')
      last.kill('SIGTERM')
      assert.deepEqual(await exited, [0, null])
    })
  } finally {
    for (const child of children) child.kill('SIGKILL')
    sequencer?.process.kill('SIGKILL')
  }
})
