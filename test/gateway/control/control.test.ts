import assert from 'node:assert/strict'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test } from 'node:test'
import type { Telemetry } from '../../../evse/guard/telemetry.ts'
import { openControl } from '../../../gateway/control/control.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { until } from '../../support/until.ts'
import { configOf, edgeEvse, GOOD, NotingPort, QUICK, type Rig, type Sent, startControl } from './support.ts'

const FOREVER = { untilMs: Number.POSITIVE_INFINITY, reason: 'test' } as const

/** Keeps an EVSE's telemetry coming, with the power that it was told, until the signal. Returns when the newest was measured. */
function feed(
  { control, port }: Rig,
  evse: string,
  signal: AbortSignal,
  change: Partial<Telemetry> = {},
): { readonly atMs: number } {
  const newest = { atMs: 0 }
  const timer = setInterval(() => {
    const powerW = port.wattsOf(evse).at(-1) ?? 0
    newest.atMs = performance.now()
    control.onTelemetry(evse, { ...GOOD, powerW, atMs: newest.atMs, ...change })
  }, 20)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  return newest
}

function sent(rig: Rig, is: (one: Sent) => boolean): Promise<Sent> {
  const { promise, resolve } = Promise.withResolvers<Sent>()
  const found = rig.port.sent.find(is)
  if (found !== undefined) return Promise.resolve(found)
  const before = rig.port.onSent
  rig.port.onSent = (one) => {
    before?.(one)
    if (is(one)) resolve(one)
  }
  return promise
}

const at = (evse: string, watts: number | undefined) => (one: Sent) => one.evse === evse && one.watts === watts

test('at the start every EVSE is told to pause: nobody knows what it was told before', async () => {
  await using rig = startControl({ evses: [edgeEvse('a'), edgeEvse('b'), edgeEvse('c', { telemetry: 'none' })] })
  assert.deepEqual(
    rig.port.sent.map(({ evse, watts }) => [evse, watts]),
    [
      ['a', 0],
      ['b', 0],
    ],
  )
})

test('a demand is followed, and silence pauses by its limit and a little', async () => {
  // The other one's limit must be more than a machine that others use takes from this process at a time.
  const staleMs = 3_000
  const config = { guard: { ...QUICK.guard, telemetry: { staleMs, resumeAfterMs: 0 } } }
  await using rig = startControl({ evses: [edgeEvse('a'), edgeEvse('b')], config })
  const quiet = new AbortController()
  const steady = new AbortController()
  const newest = feed(rig, 'a', quiet.signal)
  feed(rig, 'b', steady.signal)
  rig.control.onDemand({ source: 'grid', evse: undefined, watts: 5_000, ...FOREVER })
  await Promise.all([sent(rig, at('a', 5_000)), sent(rig, at('b', 5_000))])
  const paused = new Promise<Sent>((resolve) => {
    rig.port.onSent = (one) => {
      if (one.evse === 'a') resolve(one)
    }
  })
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  quiet.abort()
  const pause = await paused
  delay.disable()
  assert.equal(pause.watts, 0)
  const afterMs = pause.atMs - newest.atMs
  // What the machine took away from the process is not the guard's.
  assert.ok(afterMs >= staleMs && afterMs < staleMs + 1_000 + delay.max / 1e6, `paused after ${afterMs} ms`)
  assert.equal(rig.control.evse('a')?.mode, 'PAUSED_STALE')
  assert.equal(rig.control.evse('b')?.mode, 'DISCHARGING')
  const { state, figures, problems } = rig.control.status()
  assert.equal(state, 'DEGRADED')
  assert.deepEqual([figures.evses, figures.limitW, figures.flagged], [2, 5_000, 1])
  assert.deepEqual(
    problems.map(({ code, evse }) => [code, evse]),
    [['TELEMETRY_STALE', 'a']],
  )
  steady.abort()
  const text = await rig.metrics.text()
  assert.match(text, /backfeed_control_flags\{[^}]*code="TELEMETRY_STALE"[^}]*\} [12]/)
  assert.match(text, /backfeed_control_commands_total\{[^}]*kind="PAUSE"[^}]*why="PAUSED_STALE"[^}]*\} [12]/)
})

test('a demand ends by the wall clock, also when that is set forward by hand', async () => {
  let offsetMs = 0
  await using rig = startControl({ evses: [edgeEvse('a')], now: () => Date.now() + offsetMs })
  const end = new AbortController()
  feed(rig, 'a', end.signal)
  rig.control.onDemand({ source: 'price', evse: undefined, watts: 1_000, ...FOREVER })
  rig.control.onDemand({
    source: 'grid',
    evse: undefined,
    watts: 4_000,
    untilMs: Date.now() + 3_600_000,
    reason: 'event',
  })
  await sent(rig, at('a', 4_000))
  offsetMs = 3_600_000
  await sent(rig, at('a', 1_000))
  assert.equal(rig.control.evse('a')?.demand?.source, 'price')
  end.abort()
})

test('an operator’s zero holds the grid’s demand back', async () => {
  await using rig = startControl({ evses: [edgeEvse('a')] })
  const end = new AbortController()
  feed(rig, 'a', end.signal)
  rig.control.onDemand({ source: 'grid', evse: undefined, watts: 4_000, ...FOREVER })
  await sent(rig, at('a', 4_000))
  rig.control.onDemand({ source: 'operator', evse: 'a', watts: 0, ...FOREVER })
  assert.equal(rig.port.wattsOf('a').at(-1), 0)
  assert.equal(rig.control.evse('a')?.mode, 'IDLE')
  rig.control.onDemand({ source: 'operator', evse: 'a', watts: 0, untilMs: 0, reason: 'withdrawn' })
  assert.equal(rig.control.evse('a')?.mode, 'RAMPING')
  end.abort()
})

test('when the gateway stops, what discharges is paused', async () => {
  const rig = startControl({ evses: [edgeEvse('a'), edgeEvse('b')] })
  const end = new AbortController()
  feed(rig, 'a', end.signal)
  rig.control.onDemand({ source: 'operator', evse: 'a', watts: 4_000, ...FOREVER })
  await sent(rig, at('a', 4_000))
  await rig.control.stop?.()
  end.abort()
  assert.deepEqual([rig.port.wattsOf('a').at(-1), rig.port.wattsOf('b')], [0, [0]])
})

test('a blocked event loop is told by every guard', async () => {
  const config = { guard: { ...QUICK.guard, lateMs: 50, lateClearMs: 3_600_000 } }
  await using rig = startControl({ evses: [edgeEvse('a'), edgeEvse('b')], config })
  const end = new AbortController()
  feed(rig, 'a', end.signal)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const untilMs = performance.now() + 150
  while (performance.now() < untilMs);
  await until(() => rig.control.evse('b')?.flags.includes('GUARD_LATE') === true)
  assert.deepEqual(
    ['a', 'b'].map((name) => rig.control.evse(name)?.flags),
    [['GUARD_LATE'], ['GUARD_LATE']],
  )
  end.abort()
})

test('exports above rated power are stopped, and an operator lets the EVSE begin again', async () => {
  await using rig = startControl({ evses: [edgeEvse('a')] })
  const end = new AbortController()
  rig.control.onDemand({ source: 'operator', evse: 'a', watts: 4_000, ...FOREVER })
  rig.control.onTelemetry('a', { ...GOOD, powerW: 20_000, atMs: performance.now() })
  assert.equal(rig.port.sent.at(-1)?.watts, undefined)
  assert.equal(rig.control.evse('a')?.mode, 'STOPPED')
  rig.control.reset('a')
  assert.equal(rig.control.evse('a')?.mode, 'STOPPED')
  feed(rig, 'a', end.signal, { powerW: 0 })
  // As soon as telemetry has come that allows it.
  await until(() => {
    rig.control.reset('a')
    return rig.control.evse('a')?.mode !== 'STOPPED'
  })
  await sent(rig, at('a', 4_000))
  end.abort()
})

test('strangers are counted and change nothing', async () => {
  await using rig = startControl({ evses: [edgeEvse('a')] })
  rig.control.onTelemetry('nobody', { ...GOOD, atMs: 0 })
  rig.control.onDemand({ source: 'grid', evse: 'nobody', watts: 1, ...FOREVER })
  rig.control.linkLost('nobody')
  assert.match(await rig.metrics.text(), /backfeed_control_unknown_total\{[^}]*\} 2/)
  assert.throws(() => rig.control.reset('nobody'), { code: 'EVSE_UNKNOWN' })
  assert.equal(rig.control.evse('nobody'), undefined)
  assert.equal(rig.control.describeEvse('nobody'), undefined)
})

test('an EVSE that comes to L1 later has its guard from then on, and hears of what was wanted before', async () => {
  const later = edgeEvse('b', { ratedW: 3_000 })
  await using rig = startControl({ evses: [edgeEvse('a')], later: [later], config: { ...QUICK, evses: { b: {} } } })
  rig.control.onDemand({ source: 'operator', evse: 'b', watts: 4_000, ...FOREVER })
  rig.control.onTelemetry('b', { ...GOOD, atMs: performance.now() })
  assert.equal(rig.control.evse('b'), undefined)
  assert.deepEqual(rig.port.wattsOf('b'), [])
  rig.control.admit(later)
  rig.control.admit(later)
  assert.deepEqual(rig.port.wattsOf('b'), [0])
  assert.equal(rig.control.evse('b')?.demand?.watts, 4_000)
  assert.equal(rig.control.status().figures.evses, 2)
  const end = new AbortController()
  feed(rig, 'b', end.signal)
  await sent(rig, at('b', 3_000)) // no more than its rated power
  end.abort()
  const quietMs = performance.now()
  await sent(rig, (one) => one.evse === 'b' && one.watts === 0 && one.atMs > quietMs) // it is woken
})

test('who comes to L1 when the gateway stops is left alone, and who is not in the configuration as well', async () => {
  const later = edgeEvse('b')
  const rig = startControl({ evses: [edgeEvse('a')], later: [later] })
  rig.control.admit(edgeEvse('stranger'))
  await rig.control.stop?.()
  rig.control.admit(later)
  assert.deepEqual(
    rig.port.sent.map(({ evse }) => evse),
    ['a'],
  )
})

test('limits for an EVSE that has no guard are refused', () => {
  const open = (): unknown =>
    openControl(configOf({ ...QUICK, evses: { b: {} } }), {
      configured: [edgeEvse('a'), edgeEvse('b', { telemetry: 'none' })],
      portOf: () => new NotingPort(),
      now: Date.now,
      monotonicMs: () => performance.now(),
      metrics: createMetrics({ service: 'test', process: false }),
      log: silentLogger(),
    })
  assert.throws(open, { code: 'CONFIG_INVALID', message: /named b/ })
})
