import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { z } from 'zod'
import { RecordIntake } from '../../../gateway/mqtt/recordIntake.ts'
import { unhealthy } from '../../../gateway/status.ts'
import {
  recordRefusedSchema,
  recordsSettledSchema,
  sessionClosedSchema,
  sessionSettledSchema,
} from '../../../gateway/webhooks/events.ts'
import { recordDomain } from '../../../protocol/domain.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { DUPLICATE, type ResultCode } from '../../../protocol/wire.ts'
import { event, withheldOf } from '../../evse/metering/bookRig.ts'
import { CrashingDisk } from '../../evse/metering/crashingStore.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { until } from '../../support/until.ts'
import { secretFile } from '../../support/webhookReceiver.ts'
import { directoryOf, LANE, signedRow } from '../mqtt/site.ts'
import { DEPLOYMENT, MICRO_PER_WH, queuedOn, type TellingRig, tellingRig } from './tellingRig.ts'

async function rig(t: TestContext, disk = new CrashingDisk(), isTelling = true) {
  const folder = await temporaryFolder()
  t.after(() => folder[Symbol.asyncDispose]())
  const running = await tellingRig(disk, { secret: secretFile(folder.path), isTelling })
  t.after(() => running.stop())
  const told = <Schema extends z.ZodType>(type: string, schema: Schema): z.infer<Schema>[] =>
    queuedOn(disk).flatMap((queued) => (queued.type === type ? [schema.parse(queued.data)] : []))
  return { ...running, disk, told }
}

/** A quarter of an hour with three records of five minutes, 300 Wh each; `s`: where it begins. */
async function discharge(
  { book }: Pick<TellingRig, 'book'>,
  s: number,
  tx = 'a',
  parts: ('begin' | 'end')[] = ['begin', 'end'],
) {
  const at = (kind: 'STARTED' | 'UPDATED' | 'ENDED', more: number) =>
    book.take(
      event(kind, {
        s: s + more,
        seq: more / 300,
        tx,
        exportMilliWh: (s + more) * 1_000,
        socBp: 8_000 - (s + more),
        tempC: 25,
      }),
    )
  if (parts.includes('begin')) {
    await at('STARTED', 0)
    await at('UPDATED', 300)
  }
  if (!parts.includes('end')) return
  await at('UPDATED', 600)
  await at('ENDED', 900)
}

test('a session is closed when it ends, and settled when the last of its records has its answer', async (t) => {
  const { book, answer, settled, told, disk } = await rig(t)
  await discharge({ book }, 0)
  await settled()
  const [closed] = told('session.closed.v1', sessionClosedSchema)
  assert.deepEqual(
    [closed!.meteredWh, closed!.waitingWh, closed!.waitingRecords, closed!.settledWh, closed!.creditedMicro],
    [900, 900, 3, 0, '0'],
  )
  assert.deepEqual(told('session.settled.v1', sessionSettledSchema), [])
  const codes: ResultCode[] = [Outcome.SETTLED, DUPLICATE, Outcome.SOC_INCONSISTENT]
  await answer(() => codes.shift()!)
  const [session, ...more] = told('session.settled.v1', sessionSettledSchema)
  assert.deepEqual(more, [])
  assert.deepEqual(
    [session!.meteredWh, session!.settledWh, session!.refusedWh, session!.withheldWh, session!.creditedMicro],
    [900, 600, 300, 0, String(600 * MICRO_PER_WH)],
  )
  assert.deepEqual(
    session!.records.map(({ outcome, creditedMicro, position }) => [outcome, creditedMicro, position !== null]),
    [
      ['SETTLED', '900', true],
      ['DUPLICATE', '900', true],
      ['SOC_INCONSISTENT', '0', false],
    ],
  )
  assert.deepEqual([session!.evse, session!.transaction, session!.contract, session!.end], ['e0', 'a', 0, 'ENDED'])
  assert.equal(Date.parse(session!.endedAt) - Date.parse(session!.startedAt), 900_000)
  const [refused] = told('record.refused.v1', recordRefusedSchema)
  assert.deepEqual([refused!.outcome, refused!.transaction, refused!.energyWh], ['SOC_INCONSISTENT', 'a', 300])
  assert.deepEqual(
    queuedOn(disk).map(({ type, subject }) => `${type} ${subject}`),
    ['session.closed.v1 e0', 'record.refused.v1 e0', 'session.settled.v1 e0'],
  )
})

test('energy that was put aside is told with its code, and one that a person decides about keeps a session open', async (t) => {
  const { book, answer, settled, told } = await rig(t)
  await discharge({ book }, 0, 'a', ['begin'])
  // Silent for an hour.
  await book.take(event('ENDED', { s: 4_000, seq: 2, tx: 'a', exportMilliWh: 2_000_000, socBp: 6_000, tempC: 25 }))
  await settled()
  const [closed] = told('session.closed.v1', sessionClosedSchema)
  assert.deepEqual([closed!.meteredWh, closed!.waitingWh, closed!.waitingRecords], [2_000, 2_000, 2])
  const [gap] = await withheldOf(book)
  assert.equal(gap!.code, 'GAP_TOO_LONG')
  await book.releaseGap('e0', gap!.id)
  await settled()
  assert.deepEqual(told('session.settled.v1', sessionSettledSchema), [], 'its records wait for their answers')
  await answer()
  const [session] = told('session.settled.v1', sessionSettledSchema)
  assert.equal(session!.meteredWh, 2_000)
  assert.equal(session!.settledWh + session!.withheldWh, 2_000)
  assert.ok(session!.records.length > 3)
})

test('a session without energy is settled at once', async (t) => {
  const { book, settled, told } = await rig(t)
  await book.take(event('STARTED', { s: 0, exportMilliWh: 5_000, socBp: 8_000 }))
  await book.take(event('ENDED', { s: 60, seq: 1, exportMilliWh: 5_000, socBp: 8_000 }))
  await settled()
  assert.deepEqual(told('session.closed.v1', sessionClosedSchema), [])
  const [session] = told('session.settled.v1', sessionSettledSchema)
  assert.deepEqual([session!.meteredWh, session!.records], [0, []])
})

test('a session that began before there was anybody to tell is marked, also when webhooks were away for a while', async (t) => {
  const disk = new CrashingDisk()
  const before = await rig(t, disk, false)
  await discharge(before, 0, 'a', ['begin'])
  await before.settled()
  assert.ok(
    [...disk.values.keys()].every((key) => !key.startsWith('hook/')),
    'nothing is kept for nobody',
  )
  await before.stop()
  const first = await rig(t, disk)
  await discharge(first, 0, 'a', ['end'])
  await first.settled()
  await first.answer()
  await discharge(first, 900, 'b', ['begin'])
  await first.settled()
  await first.stop()
  const away = await rig(t, disk, false)
  await discharge(away, 900, 'b', ['end'])
  await discharge(away, 1_800, 'c', ['begin'])
  await away.settled()
  await away.stop()
  const last = await rig(t, disk)
  await discharge(last, 1_800, 'c', ['end'])
  await discharge(last, 2_700, 'd')
  await last.settled()
  await last.answer()
  const told = last.told('session.settled.v1', sessionSettledSchema)
  const kept = [...disk.values.keys()].filter((key) => key.startsWith('hook/s/') || key.startsWith('hook/m/'))
  assert.deepEqual(kept, [], 'b, which ended meanwhile, is forgotten')
  assert.deepEqual(
    told.map(({ transaction, complete, settledWh }) => [transaction, complete, settledWh]),
    [
      ['a', false, 600],
      ['c', false, 600],
      ['d', true, 900],
    ],
  )
})

test('a transaction that ended before there was anybody to tell, and whose energy waits, is told of', async (t) => {
  const disk = new CrashingDisk()
  const before = await rig(t, disk, false)
  await discharge(before, 0, 'a', ['begin'])
  await before.book.take(
    event('ENDED', { s: 4_000, seq: 2, tx: 'a', exportMilliWh: 2_000_000, socBp: 6_000, tempC: 25 }),
  )
  await before.settled()
  await before.stop()
  const { book, told, answer, settled } = await rig(t, disk)
  const [gap] = await withheldOf(book)
  await book.releaseGap('e0', gap!.id)
  await settled()
  await answer()
  const [session] = told('session.settled.v1', sessionSettledSchema)
  assert.deepEqual([session!.transaction, session!.complete], ['a', false])
  assert.equal(session!.settledWh + session!.withheldWh, 1_700)
})

test('records that an EVSE signed by itself are told as they are answered, each once', async (t) => {
  const disk = new CrashingDisk()
  const { outbox, webhooks, answer, told } = await rig(t, disk)
  const evse = directoryOf(1).evses[0]!
  const known: unknown[] = []
  const intake = new RecordIntake({
    outbox,
    domainOf: (lane) => recordDomain({ chainId: BigInt(DEPLOYMENT.chainId), rollup: DEPLOYMENT.rollup, lane }),
    alsoTaken: ({ name, lane }, rows) => webhooks!.accounts.taken(name, lane, rows),
    onKnown: (_, row) => known.push(row),
    onBusy: () => {},
    signal: new AbortController().signal,
  })
  const rows = [2, 1, 0].map((index) => signedRow(0, index))
  assert.equal((await intake.take(evse, Buffer.concat(rows))).taken, 3)
  // Sent again while they wait.
  assert.equal((await intake.take(evse, rows[1]!)).taken, 1)
  const codes: ResultCode[] = [Outcome.SETTLED, Outcome.BUDGET_EXHAUSTED, DUPLICATE]
  await answer(() => codes.shift()!)
  const [batch, ...more] = told('records.settled.v1', recordsSettledSchema)
  assert.deepEqual(more, [])
  assert.deepEqual([batch!.evse, batch!.lane, batch!.slot, batch!.records.length], [evse.name, LANE, 0, 2])
  assert.equal(batch!.creditedMicro, String(batch!.settledWh * MICRO_PER_WH))
  const [refused] = told('record.refused.v1', recordRefusedSchema)
  assert.deepEqual([refused!.outcome, refused!.transaction], ['BUDGET_EXHAUSTED', null])
  await intake.take(evse, Buffer.concat(rows))
  await answer()
  assert.equal(known.length, 3)
  assert.equal(queuedOn(disk).length, 2, 'what is sent again afterwards is answered, and not told again')
})

test('a receiver that is away is shown, and does not make the gateway unhealthy', async (t) => {
  const { book, webhooks, settled } = await rig(t)
  webhooks!.start()
  assert.deepEqual(webhooks!.status().problems, [])
  await discharge({ book }, 0)
  await settled()
  await until(() => webhooks!.status().state === 'DEGRADED')
  const status = webhooks!.status()
  assert.deepEqual(
    status.problems.map(({ code }) => code),
    ['WEBHOOK_UNREACHABLE'],
  )
  assert.deepEqual([status.figures.receivers, status.figures.queued, status.figures.openSessions], [1, 1, 1])
  assert.deepEqual(unhealthy([status]), [])
})
