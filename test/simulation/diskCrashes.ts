import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { DUPLICATE } from '../../protocol/wire.ts'
import { ACTIVE_FROM, hex, type LocalLane, localFleet, openLocalLane, T0 } from '../sequencer/localLane.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'
import { readResult, type SubmissionAnswer } from '../../sequencer/submission.ts'
import { Random } from '../support/generators/random.ts'
import { type FaultyDatabase, faultyDatabase, type StoreFault } from './faultyDatabase.ts'

const EVSES = 5
const BATCH_ROWS = 44
const REQUESTS = 14
const REFUSED_MS = 20
const AT_ONCE = 8
const PATIENCE_MS = 20_000

/** A short day of a lane: requests of several chargers, some repeated, batches that fill up and are closed by hand. */
interface Script {
  readonly requests: readonly Uint8Array[]
  /** Closes the open batch after so many requests. */
  readonly closeAfter: ReadonlySet<number>
}

interface Day {
  readonly script: Script
  readonly rules: LaneRules
}

function drawDay(seed: number): Day {
  const random = new Random(seed)
  const fleet = localFleet(EVSES)
  const rules = fleet.rules(ACTIVE_FROM)
  const requests: Uint8Array[] = []
  const closeAfter = new Set<number>()
  for (let i = 0; i < REQUESTS; i++) {
    const repeated = i > 2 && random.chance(0.25) ? [random.pick(requests)] : []
    requests.push(Buffer.concat([fleet.rows(random.logInt(1, 40)), ...repeated]))
    if (random.chance(0.2)) closeAfter.add(i)
  }
  return { script: { requests, closeAfter }, rules }
}

export interface CrashRun {
  /** Of the store, in a run in which nothing goes wrong. */
  readonly calls: number
  readonly runs: number
}

/**
 * Plays the same day once for every call that the lane makes of its store, with that call gone wrong, and `faults` in turn: crashes are
 * followed by a start from what is on disk. Whatever the call was, every answer that was given must stand, nothing is taken in twice,
 * and the lane ends with the very root of the undisturbed day.
 */
export async function crashEverywhere(seed: number, faults: readonly StoreFault[]): Promise<CrashRun> {
  const drawn = drawDay(seed)
  const undisturbed = await day(drawn, 0, 'hangs')
  const all = faults.flatMap((fault) => Array.from({ length: undisturbed.calls }, (_, i) => ({ fault, at: i + 1 })))
  const left = [...all]
  const worker = async (): Promise<void> => {
    for (let run = left.shift(); run !== undefined; run = left.shift()) {
      const { at, fault } = run
      try {
        const { root } = await day(drawn, at, fault)
        assert.equal(root, undisturbed.root, 'the lane ends elsewhere')
      } catch (cause) {
        left.length = 0
        throw new Error(`seed ${seed}: call ${at} of ${undisturbed.calls} of the store, ${fault}`, { cause })
      }
    }
  }
  // Most of a run is waiting for the disk.
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return { calls: undisturbed.calls, runs: all.length }
}

async function day({ script, rules }: Day, at: number, fault: StoreFault): Promise<{ root: string; calls: number }> {
  await using folder = await temporaryFolder()
  const promised = new Map<string, { position: number; amountMicro: number }>()
  const fresh = new Set<string>()
  let faulty: FaultyDatabase | undefined
  const options = { maxBatchRows: BATCH_ROWS, seconds: T0 + 3_600, snapshotRows: 60, runRecords: 35 }
  const wrap = (real: Parameters<typeof faultyDatabase>[0]) => {
    faulty = faultyDatabase(real, at, fault)
    return faulty.database
  }
  // A crash may come while the lane opens.
  const first = await lifeOf(
    () => openLocalLane(folder.path, rules, { ...options, wrap }),
    () => faulty?.dead,
  )
  let next = 0
  let outcome: 'done' | 'dead' =
    first === 'dead' ? 'dead' : await play(first, script, { promised, fresh, dead: faulty!.dead })
  if (outcome === 'done' && first !== 'dead') {
    const root = hex(first.stage.book.state.root())
    await Promise.race([first[Symbol.asyncDispose](), faulty!.dead])
    next = faulty!.calls
    // Signing goes on behind the answers: a crash may still come in it.
    const open = await reopened(folder.path, rules, options, first)
    await using lane = open
    assert.equal(hex(lane.stage.book.state.root()), root, 'a start comes to another root')
    return { root, calls: next }
  }
  await abandon(first, faulty)
  await using lane = await openLocalLane(folder.path, rules, options)
  outcome = await play(lane, script, { promised, fresh, dead: new Promise<void>(() => {}) })
  assert.equal(outcome, 'done')
  return { root: hex(lane.stage.book.state.root()), calls: at }
}

async function reopened(path: string, rules: LaneRules, options: object, old: LocalLane): Promise<LocalLane> {
  await old.database.close()
  return await openLocalLane(path, rules, options)
}

async function lifeOf(
  open: () => Promise<LocalLane>,
  dead: () => Promise<void> | undefined,
): Promise<LocalLane | 'dead'> {
  const opening = open()
  opening.catch(() => {})
  for (;;) {
    const gone = dead()
    const winner = await Promise.race([
      opening,
      sleep(20),
      ...(gone === undefined ? [] : [gone.then(() => 'dead' as const)]),
    ])
    if (winner !== undefined) return winner
  }
}

/** Its files are let go of as the system does with those of a dead process; nothing of it is written or told any more. */
async function abandon(lane: LocalLane | 'dead', faulty: FaultyDatabase | undefined): Promise<void> {
  if (lane !== 'dead') lane.journal.close()
  await faulty?.database.close()
}

interface Known {
  readonly promised: Map<string, { position: number; amountMicro: number }>
  readonly fresh: Set<string>
  readonly dead: Promise<void>
}

/** Sends every request until it is answered, from the first on: what was accepted before comes back as a duplicate. */
async function play(lane: LocalLane, script: Script, known: Known): Promise<'done' | 'dead'> {
  for (const [i, rows] of script.requests.entries()) {
    const whole = await untilAnswered(lane, rows, known.dead, i % 2 === 0)
    if (whole === 'dead') return 'dead'
    if (whole === 'refused') {
      // It comes again in other pieces: what is written now is not what failed.
      for (const part of [rows.subarray(0, 88), rows]) {
        const answer = await untilAnswered(lane, part, known.dead, true)
        if (typeof answer === 'string') return 'dead'
        hear(part, answer, known)
      }
    } else hear(rows, whole, known)
    if (!script.closeAfter.has(i)) continue
    const closed = await Promise.race([lane.stage.closeBatch().catch(() => {}), known.dead.then(() => 'dead' as const)])
    if (closed === 'dead') return 'dead'
  }
  assert.deepEqual(lane.faults, [])
  return 'done'
}

async function untilAnswered(
  lane: LocalLane,
  rows: Uint8Array,
  dead: Promise<void>,
  isPatient: boolean,
): Promise<Uint8Array | 'dead' | 'refused'> {
  const count = rows.length / 88
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const work = lane.stage.enqueue(rows, count)
    work.verdicts.fill(1)
    work.verified()
    const answer: SubmissionAnswer | 'dead' = await Promise.race([work.answer, dead.then(() => 'dead' as const)])
    if (answer === 'dead') return 'dead'
    if (answer.refusal === undefined) return answer.results
    if (!isPatient) return 'refused'
    if (Date.now() > deadline) throw new Error(`still refused: ${answer.refusal.message}`)
    await sleep(REFUSED_MS)
  }
}

function hear(rows: Uint8Array, results: Uint8Array, { promised, fresh }: Known): void {
  for (let i = 0; i < rows.length / 88; i++) {
    const key = Buffer.from(rows).toString('hex', i * 88, i * 88 + 24)
    const { code, position, amountMicro } = readResult(results, i * 16)
    if (code === Outcome.SETTLED) {
      assert.ok(!fresh.has(key), `record ${key} was taken in twice`)
      fresh.add(key)
    } else assert.equal(code, DUPLICATE, `record ${key} was answered ${code}`)
    const before = promised.get(key) ?? { position, amountMicro }
    assert.deepEqual({ position, amountMicro }, before, `record ${key} was promised otherwise before`)
    promised.set(key, before)
  }
}
