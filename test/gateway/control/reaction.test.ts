import assert from 'node:assert/strict'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test } from 'node:test'
import { edgeEvse, GOOD, type Sent, startControl } from './support.ts'

// How long after an EVSE's last telemetry its pause leaves, with a thousand others that go on.

const EVSES = 1_000
const PERIOD_MS = 100
const STALE_MS = 200
const MEASURED = 300
const LIMIT_MS = 100

const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!

test('a thousand EVSEs at 10 Hz: when telemetry stops, the pause leaves within 100 ms of its limit', {
  timeout: 300_000,
}, async (context) => {
  const names = Array.from({ length: EVSES }, (_, index) => `e${index}`)
  const config = {
    guard: {
      telemetry: { staleMs: STALE_MS, resumeAfterMs: 0 },
      rampUpWPerS: 1_000_000,
      rampStepMs: 50,
      obey: { withinMs: 100_000 },
      thermal: { maxAgeMs: 3_600_000 },
    },
  }
  await using rig = startControl({ evses: names.map((name) => edgeEvse(name)), config })
  const { control, port } = rig
  const watts = new Map<string, number>()
  const lastMs = new Map<string, number>()
  const silent = new Set<string>()
  const pauses = new Map<string, Sent>()
  let falsePauses = 0
  const all = Promise.withResolvers<void>()
  const rising = Promise.withResolvers<void>()
  port.onSent = (one) => {
    watts.set(one.evse, one.watts ?? 0)
    if (one.watts === 5_000 && [...watts.values()].filter((value) => value === 5_000).length === EVSES) rising.resolve()
    if (one.watts !== 0) return
    if (!silent.has(one.evse)) {
      falsePauses++
      return
    }
    pauses.set(one.evse, one)
    if (pauses.size === MEASURED) all.resolve()
  }
  // A tenth of the fleet every ten milliseconds, so that they do not all report in one moment.
  const shares = PERIOD_MS / 10
  let turn = 0
  let reports = 0
  const feed = setInterval(() => {
    for (let index = turn % shares; index < EVSES; index += shares) {
      const name = names[index]!
      if (silent.has(name)) continue
      const atMs = performance.now()
      lastMs.set(name, atMs)
      reports++
      control.onTelemetry(name, { ...GOOD, powerW: watts.get(name) ?? 0, atMs })
    }
    turn++
  }, 10)
  const startMs = performance.now()
  try {
    control.onDemand({
      source: 'grid',
      evse: undefined,
      watts: 5_000,
      untilMs: Number.POSITIVE_INFINITY,
      reason: 'test',
    })
    await rising.promise
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    falsePauses = 0
    const cpu = process.cpuUsage()
    const cpuMs = performance.now()
    // One that discharges falls silent every ten milliseconds: one that a late machine has paused already would say nothing more.
    const order = names.map((_, index) => names[(index * 7) % EVSES]!)
    const hush = setInterval(() => {
      const next = order.find((name) => !silent.has(name) && watts.get(name) === 5_000)
      if (next !== undefined) silent.add(next)
    }, 10)
    while (silent.size < MEASURED) await new Promise((resolve) => setTimeout(resolve, 10))
    clearInterval(hush)
    await all.promise
    delay.disable()
    const { user, system } = process.cpuUsage(cpu)
    const beyond = [...pauses].map(([name, one]) => one.atMs - lastMs.get(name)! - STALE_MS)
    const [p50, p99] = [percentile(beyond, 0.5), percentile(beyond, 0.99)]
    const blockedMs = delay.max / 1e6
    const text = await rig.metrics.text()
    const sum = (name: string): number => Number(new RegExp(`${name}\\{[^}]*\\} (\\S+)`).exec(text)?.[1])
    const decisionUs =
      (1e6 * sum('backfeed_control_decision_seconds_sum')) / sum('backfeed_control_decision_seconds_count')
    context.diagnostic(
      `beyond ${STALE_MS} ms: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, most ${Math.max(...beyond).toFixed(1)} ms; ` +
        `telemetry to decision ${decisionUs.toFixed(1)} µs on average; event loop late by ${blockedMs.toFixed(0)} ms at most; ` +
        `${Math.round((reports * 1_000) / (performance.now() - startMs))} reports/s; pauses of EVSEs that went on: ${falsePauses}; ` +
        `CPU ${((user + system) / 10 / (performance.now() - cpuMs)).toFixed(0)} % of a core`,
    )
    for (const ms of beyond) assert.ok(ms >= 0, `paused ${-ms} ms before its time`)
    assert.ok(p50 < LIMIT_MS, `p50 is ${p50} ms beyond the limit`)
    // What the machine took away from the process is not the guard's: others run here too.
    assert.ok(p99 < LIMIT_MS + blockedMs, `p99 is ${p99} ms beyond the limit`)
  } finally {
    clearInterval(feed)
  }
})
