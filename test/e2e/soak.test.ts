import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient } from '../../client/http.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { startAnvil } from '../support/anvil.ts'
import { openTestLane } from '../support/laneFixture.ts'
import { byNight } from '../support/nightly.ts'
import { startSequencerChild } from '../support/sequencerChild.ts'
import { sequencerSettings } from '../support/sequencerFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const MINUTES = Number(process.env.SOAK_MINUTES ?? 60)
const EVSES = 600
const ROWS = 300
/** A batch each two seconds, which L1's blocks of a second take as they come, as calldata of one transaction: more would wait in memory. */
const PER_SECOND = 600
/** Rounds, half a minute. What V8 has not collected yet is no growth, so it collects first: left alone it may put that off for an hour. */
const SAMPLED_EACH = 60
/** What compiling, caches and the journal's own buffers take comes first. */
const WARM_UP = 0.25
/** Batches that are past their window keep some hundred bytes each; so does nothing else. */
const MAX_GROWTH_MB_AN_HOUR = 40

test(`memory is flat: ${MINUTES} minutes of records, from HTTP to batches on L1`, {
  skip: byNight,
  timeout: (MINUTES + 5) * 60_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: EVSES, periodsBehind: 2 + Math.ceil((MINUTES * PER_SECOND) / EVSES) })
  await anvil.rpc('evm_setIntervalMining', [1])
  const settings = join(folder.path, 'settings.json')
  const batch = { asOfAheadSeconds: 2, maxAgeSeconds: 2 }
  writeFileSync(settings, JSON.stringify(sequencerSettings(lane, { folder: folder.path, batch })))
  await using child = await startSequencerChild(settings)
  const samples: { minute: number; mb: number; residentMb: number }[] = []
  let accepted = 0
  {
    await using client = createHttpClient({ url: child.url, receipts: 'unchecked' })
    const startedAt = performance.now()
    const minute = (): number => (performance.now() - startedAt) / 60_000
    for (let round = 0; minute() < MINUTES; round++) {
      const rows = Array.from({ length: ROWS }, (_, i) => lane.fleet.sign(lane.fleet.next((round * ROWS + i) % EVSES)))
      for (const { code } of await client.submit({ lane: lane.lane, rows: Buffer.concat(rows) })) {
        assert.equal(code, Outcome.SETTLED)
        accepted++
      }
      if (round % SAMPLED_EACH === 0) {
        const residentMb = child.residentMb()
        samples.push({ minute: minute(), residentMb, mb: await child.liveMb() })
      }
      await sleep(Math.max(0, (accepted / PER_SECOND) * 1_000 - (performance.now() - startedAt)))
    }
  }
  const late = samples.filter(({ minute }) => minute > MINUTES * WARM_UP)
  const slope = slopeOf(late.map(({ minute, mb }) => [minute / 60, mb]))
  const every = Math.max(1, Math.floor(samples.length / 20))
  console.log({
    minutes: MINUTES,
    accepted,
    mbAnHour: slope,
    mb: samples.filter((_, i) => i % every === 0).map(({ mb }) => mb),
    residentMb: samples.filter((_, i) => i % every === 0).map((sample) => sample.residentMb),
  })
  assert.ok(slope < MAX_GROWTH_MB_AN_HOUR, `grows by ${slope} MB an hour`)
  assert.equal(await child.end(), 0)
})

/** Least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const [over, under] = points.reduce(
    ([a, b], [px, py]) => [a + (px - x) * (py - y), b + (px - x) ** 2] as [number, number],
    [0, 0] as [number, number],
  )
  return over / under
}
