import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProgramControls, resolveControls } from '../../../../gateway/grid/ieee20305/eventRules.ts'
import { deviceIdOfFingerprint } from '../../../../gateway/grid/ieee20305/identity.ts'
import type { DerControl, SetPoint } from '../../../../gateway/grid/ieee20305/resources.ts'
import { ResponseBook, ResponseStatus } from '../../../../gateway/grid/ieee20305/responses.ts'
import { overlaps } from '../../../../gateway/grid/model/gridEvent.ts'
import { fc } from '../../../support/property.ts'

const kind = fc.constantFrom('targetW', 'maxBps', 'connect')
const control = fc.record({
  creationTime: fc.integer({ min: 0, max: 50 }),
  status: fc.constantFrom(0, 0, 0, 1, 2, 3, 4),
  statusTime: fc.integer({ min: 0, max: 200 }),
  start: fc.integer({ min: 0, max: 150 }),
  duration: fc.integer({ min: 0, max: 80 }),
  randomizeStart: fc.integer({ min: -20, max: 20 }),
  randomizeDuration: fc.integer({ min: -20, max: 20 }),
  kinds: fc.uniqueArray(kind, { maxLength: 3 }),
})

/** Programs whose events have distinct mRIDs. */
const programs = fc
  .array(fc.record({ primacy: fc.integer({ min: 0, max: 3 }), controls: fc.array(control, { maxLength: 6 }) }), {
    maxLength: 4,
  })
  .map((list): ProgramControls[] =>
    list.map((entry, p) => ({
      program: { mrid: `F${p}`, primacy: entry.primacy },
      controls: entry.controls.map((drawn, c): DerControl => {
        const { start, duration, kinds, ...rest } = drawn
        return {
          ...rest,
          mrid: `${p}${c}`,
          description: undefined,
          isPotentiallySuperseded: false,
          interval: { start, end: start + duration },
          replyTo: '/rsp',
          responseRequired: 3,
          deviceCategory: undefined,
          setPoints: kinds.map((name): SetPoint => [name, 1]),
        }
      }),
    })),
  )

const at = fc.integer({ min: 0, max: 300 })
const resolve = (drawn: ProgramControls[], serverNow = 0) => resolveControls({ programs: drawn, serverNow, seed: 'x' })

test('no two events set the same thing at the same time, nominally or as devices follow them', () => {
  fc.assert(
    fc.property(programs, (drawn) => {
      const points = resolve(drawn).flatMap((event) => event.setPoints.map((point) => ({ ...point, of: event })))
      for (const [i, a] of points.entries()) {
        for (const b of points.slice(i + 1)) {
          if (a.kind !== b.kind || a.of === b.of) continue
          assert.ok(!overlaps(a.nominal, b.nominal), 'nominal')
          assert.ok(!overlaps(a.effective, b.effective), 'effective')
        }
      }
    }),
    { numRuns: 2_000 },
  )
})

test('an event keeps all its time unless a stronger one, or the server, takes it', () => {
  fc.assert(
    fc.property(programs, (drawn) => {
      const resolved = resolve(drawn)
      for (const [i, event] of resolved.entries()) {
        const { control: own } = event
        for (const point of event.setPoints) {
          assert.ok(point.nominal.start === own.interval.start && point.nominal.end <= own.interval.end)
          if (point.nominal.end === own.interval.end) continue
          const isServers = own.status >= 2 && own.statusTime <= point.nominal.end
          const isBeaten = resolved
            .slice(0, i)
            .some((other) =>
              other.setPoints.some(
                (taken) =>
                  taken.kind === point.kind &&
                  taken.nominal.start <= point.nominal.end &&
                  taken.nominal.end > point.nominal.end,
              ),
            )
          const isTakenBefore = point.nominal.end === point.nominal.start
          assert.ok(isServers || isBeaten || isTakenBefore)
        }
      }
    }),
    { numRuns: 2_000 },
  )
})

test('the strongest event is never cut but by the server; what was cancelled before its start takes nothing', () => {
  fc.assert(
    fc.property(programs, (drawn) => {
      const [strongest] = resolve(drawn)
      if (strongest === undefined || strongest.control.status >= 2) return
      for (const { nominal } of strongest.setPoints) assert.deepEqual(nominal, strongest.control.interval)
    }),
  )
  fc.assert(
    fc.property(programs, (drawn) => {
      // Every event but one is called off before it begins: that one runs.
      const called = drawn.map((entry, p) => ({
        ...entry,
        controls: entry.controls.map((event, c) =>
          p === 0 && c === 0 ? { ...event, status: 0 } : { ...event, status: 2, statusTime: event.interval.start },
        ),
      }))
      const kept = resolve(called).find(({ control: { mrid } }) => mrid === '00')
      for (const { nominal } of kept?.setPoints ?? []) assert.deepEqual(nominal, kept!.control.interval)
    }),
  )
})

test('randomisation stays within its bounds, is each device’s own, and the same at every look', () => {
  fc.assert(
    fc.property(programs, at, at, (drawn, early, late) => {
      const [first, second] = [resolve(drawn, early), resolve(drawn, late)]
      assert.deepEqual(
        first.map(({ effective, setPoints }) => ({ effective, setPoints })),
        second.map(({ effective, setPoints }) => ({ effective, setPoints })),
      )
      for (const { control: own, effective } of first) {
        const moved = effective.start - own.interval.start
        assert.ok(moved >= Math.min(0, own.randomizeStart) && moved <= Math.max(0, own.randomizeStart))
        const grown = effective.end - effective.start - (own.interval.end - own.interval.start)
        assert.ok(grown >= Math.min(0, own.randomizeDuration) - 0 && grown <= Math.max(0, own.randomizeDuration))
      }
    }),
  )
  const starts = new Set(
    Array.from({ length: 200 }, (_, device) => {
      const [program] = fc.sample(
        programs.filter((list) => (list[0]?.controls.length ?? 0) > 0),
        { seed: 7, numRuns: 1 },
      )
      const event = { ...program![0]!.controls[0]!, randomizeStart: 600 }
      const input = [{ program: { mrid: 'F', primacy: 1 }, controls: [event] }]
      return resolveControls({ programs: input, serverNow: 0, seed: `device ${device}` })[0]!.effective.start
    }),
  )
  assert.ok(starts.size > 100, `${starts.size} different starts of 200 devices`)
})

test('every response is told once, none after its event ended, in an order that can happen', () => {
  fc.assert(
    fc.property(programs, fc.uniqueArray(at, { minLength: 1, maxLength: 12 }), (drawn, looks) => {
      const book = new ResponseBook()
      const told = new Map<string, number[]>()
      for (const now of looks.sort((a, b) => a - b)) {
        for (const event of resolve(drawn, now)) {
          for (const response of book.due(event, now)) {
            book.markTold(response)
            told.set(response.subject, [...(told.get(response.subject) ?? []), response.status])
          }
        }
      }
      const last = new Set<number>([3, 6, 7, 14, 252, 254])
      for (const statuses of told.values()) {
        assert.equal(new Set(statuses).size, statuses.length, 'told twice')
        assert.equal(statuses.filter((status) => last.has(status)).length <= 1, true, `two ends: ${statuses}`)
        const end = statuses.findIndex((status) => last.has(status))
        assert.ok(end < 0 || end === statuses.length - 1, `after the end: ${statuses}`)
        if (statuses.includes(ResponseStatus.completed)) assert.ok(statuses.includes(ResponseStatus.started))
      }
    }),
    { numRuns: 2_000 },
  )
})

test('device identifiers, by the example of the standard', () => {
  const fingerprint = '3E4F45AB31EDFE5B67E343E5E4562E31984E23E5349E2AD745672ED145EE213A'
  const { lfdi, sfdi } = deviceIdOfFingerprint(Buffer.from(fingerprint, 'hex'))
  assert.equal(lfdi, '3E4F45AB31EDFE5B67E343E5E4562E31984E23E5')
  assert.equal(sfdi, 167_261_211_391)
})
