import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CpuProfile, profileLines, threadTimes } from '../../bench/profile.ts'

const ROOT = new URL('../..', import.meta.url).href

/** A function's self time lies in its samples: `[function, url, µs]` one after another. */
function profileOf(...samples: [functionName: string, url: string, micros: number][]): CpuProfile {
  return {
    startTime: 1_000_000,
    nodes: samples.map(([functionName, url], id) => ({ id, callFrame: { functionName, url } })),
    samples: samples.map((_, id) => id),
    timeDeltas: samples.map(([, , micros]) => micros),
  }
}

const main = profileOf(
  ['', `${ROOT}bench/child.ts`, 2_000],
  ['settle', `${ROOT}protocol/settlement.ts`, 3_000],
  ['encrypt', `${ROOT}node_modules/@noble/curves/nist.js`, 1_000],
  ['write', 'node:internal/streams/writable', 500],
  ['(garbage collector)', '', 500],
  ['(idle)', '', 4_000],
  ['settle', `${ROOT}protocol/settlement.ts`, 3_000],
)
const worker = profileOf(
  ['verifySlab', `${ROOT}sequencer/verify/p256Worker.ts`, 1_000],
  ['atomicsWaitLoop', `${ROOT}node_modules/piscina/dist/worker.js`, 9_000],
)

test('self time goes by file, package and module, threads that run the same file together', () => {
  const [first, second] = threadTimes([main, worker, worker])
  assert.deepEqual(Object.fromEntries(first!.groups), {
    'bench/child.ts': 2,
    'protocol/settlement.ts': 6,
    '@noble/curves': 1,
    'node:internal/streams': 0.5,
    '(garbage collector)': 0.5,
    '(idle)': 4,
  })
  assert.equal(first!.thread, 'main thread')
  assert.deepEqual([second!.thread, second!.count], ['worker sequencer/verify/p256Worker.ts', 2])
  assert.deepEqual(Object.fromEntries(second!.groups), { 'sequencer/verify/p256Worker.ts': 2, '(idle)': 18 })
})

test('only what lies in the windows counts', () => {
  const windows = [
    { fromMicros: 1_004_000, toMicros: 1_005_500 },
    { fromMicros: 1_012_000, toMicros: 1_020_000 },
  ]
  const [only] = threadTimes([main], { windows, records: 1 })
  assert.deepEqual(Object.fromEntries(only!.groups), { 'protocol/settlement.ts': 6 })
})

test('a table has shares of what was not idle, and microseconds of a record', () => {
  const lines = [...profileLines(threadTimes([main]), { windows: [], records: 100 })].map((line) =>
    line.trim().split(/ {2,}/),
  )
  assert.deepEqual(lines[0], ['main thread, 4 ms idle'])
  assert.deepEqual(lines[2], ['protocol/settlement.ts', '6', '60.0 %', '60.00'])
  assert.deepEqual(lines.at(-1), ['all', '10', '100.0 %', '100.00'])
})
