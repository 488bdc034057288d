import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecordClient } from '../../../client/recordClient.ts'
import { SubmitError } from '../../../client/submitError.ts'
import { type DeliveryConfig, deliveryConfigSchema } from '../../../evse/delivery/config.ts'
import { Delivery } from '../../../evse/delivery/delivery.ts'
import type { LevelOutbox } from '../../../evse/outbox/levelOutbox.ts'
import type { AnsweredRow, OutboxRow } from '../../../evse/outbox/outbox.ts'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { resultName } from '../../../protocol/wire.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { fc } from '../../support/property.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { FIRST_INTERVAL, metrics, openBox, OWNER, unsignedRow } from '../support/edge.ts'
import { ModelSequencer } from '../support/modelSequencer.ts'

const QUICK = { firstDelaySeconds: 0.001, maxDelaySeconds: 0.01, holdSeconds: 0.001, maxHoldSeconds: 0.005 }

interface Rig extends AsyncDisposable {
  readonly box: LevelOutbox
  readonly delivery: Delivery
  readonly answered: AnsweredRow[]
  readonly clock: { ms: number }
  /** Resolves when so many rows have their final answer. */
  until(rows: number): Promise<void>
  readonly names: () => string[]
}

async function openRig(
  clients: readonly RecordClient[],
  config: Partial<DeliveryConfig> = {},
  monotonicMs = (): number => performance.now(),
): Promise<Rig> {
  const folder = await temporaryFolder()
  const store = await openEdgeStore(folder.path, OWNER)
  const clock = { ms: (FIRST_INTERVAL + 60_000) * 15_000 }
  const box = await openBox(store, { maxBytes: 50_000_000, now: () => clock.ms })
  const answered: AnsweredRow[] = []
  const waiters = new Set<() => void>()
  box.onAnswered((row) => {
    answered.push(row)
    for (const look of waiters) look()
  })
  const delivery = new Delivery({
    outbox: box,
    clients: new Map([[0, clients]]),
    config: deliveryConfigSchema.parse({ ...QUICK, ...config }),
    now: () => clock.ms,
    monotonicMs,
    log: silentLogger(),
    metrics: metrics(),
  })
  delivery.start()
  return {
    box,
    delivery,
    answered,
    clock,
    until: (rows) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (answered.length < rows) return
          waiters.delete(look)
          resolve()
        }
        waiters.add(look)
        look()
      }),
    names: () => answered.map(({ answer }) => resultName(answer.code)),
    [Symbol.asyncDispose]: async () => {
      await delivery.stop()
      await store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

const recordOf = ({ row }: Pick<OutboxRow, 'row'>): string => Buffer.from(row.subarray(0, 24)).toString('hex')

test('a backlog goes out in full requests, each EVSE in its order, and every receipt is kept', async () => {
  const model = new ModelSequencer()
  await using rig = await openRig([model.client()])
  const rows = Array.from({ length: 3_000 }, (_, i) => unsignedRow(i % 3, Math.floor(i / 3)))
  await rig.box.put(rows)
  await rig.until(3_000)
  assert.ok(rig.names().every((name) => name === 'SETTLED'))
  assert.ok(model.requests.length < 10, `${model.requests.length} requests for 3 000 records`)
  const kept = await rig.box.find(0, rows[5]!.row)
  assert.ok(kept !== undefined && kept !== 'WAITING' && kept.answer.receipt !== undefined)
  assert.deepEqual(rig.delivery.problems(), [])
})

test('any course of lost answers, refusals of requests and failovers settles every record once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 5, maxLength: 40 }),
      fc.array(fc.tuple(fc.nat(4), fc.nat(20)), { minLength: 1, maxLength: 60 }),
      async (faults, spans) => {
        const model = new ModelSequencer()
        const next = (): number => faults.shift() ?? 5
        model.before = () => {
          const fault = next()
          if (fault === 0) throw new SubmitError('OVERLOADED', 'full', { retryAfterMs: 2 })
          if (fault === 1) throw new SubmitError('NOT_ACCEPTING', 'starting')
          if (fault === 2) throw new SubmitError('NO_ANSWER', 'cut')
          if (fault === 3) throw new SubmitError('UNVERIFIED', 'false', { fault: 'WRONG_SIGNER' })
        }
        model.loseAnswer = () => next() === 4
        await using rig = await openRig([model.client(), model.client()])
        const rows = new Map(spans.map(([evse, index]) => [`${evse} ${index}`, unsignedRow(evse, index)]))
        await rig.box.put([...rows.values()])
        await rig.until(rows.size)
        assert.ok(
          rig.names().every((name) => name === 'SETTLED' || name === 'DUPLICATE'),
          rig.names().join(),
        )
        assert.deepEqual(new Set(model.settled), new Set([...rows.values()].map(recordOf)))
        assert.equal(model.settled.length, rows.size)
      },
    ),
    { numRuns: 25 },
  )
})

test('a record that waits for the lane’s budget is not overtaken, and is settled when there is one', async () => {
  const model = new ModelSequencer()
  let isFunded = false
  const tried: number[] = []
  model.refuse = ({ start }) => {
    tried.push((start - FIRST_INTERVAL) / 60)
    // The dear ones do not fit, the cheap ones would.
    return !isFunded && start % 120 === 0 ? Outcome.BUDGET_EXHAUSTED : undefined
  }
  await using rig = await openRig([model.client()], { maxRowsPerEvse: 1 })
  await rig.box.put([1, 2, 3, 4].map((index) => unsignedRow(1, index)))
  while (tried.length < 10) await new Promise((resolve) => setImmediate(resolve))
  const first = tried[0]! % 2 === 0 ? 1 : 2
  assert.deepEqual(rig.answered.length, first - 1)
  assert.equal(rig.delivery.problems()[0]?.code, 'BUDGET_EXHAUSTED')
  isFunded = true
  await rig.until(4)
  assert.deepEqual(rig.names(), ['SETTLED', 'SETTLED', 'SETTLED', 'SETTLED'])
  assert.deepEqual(rig.delivery.problems(), [])
})

test('in one request a cheaper record overtakes: what it made impossible is told, not tried for ever', async () => {
  const model = new ModelSequencer()
  model.refuse = ({ start }) => (start === FIRST_INTERVAL + 60 ? Outcome.BUDGET_EXHAUSTED : undefined)
  await using rig = await openRig([model.client()])
  await rig.box.put([1, 2].map((index) => unsignedRow(1, index)))
  await rig.until(2)
  assert.deepEqual(rig.names(), ['BUDGET_EXHAUSTED', 'SETTLED'])
})

test('refusals that time heals are tried until their limit, and then kept with their answer; others at once', async () => {
  const model = new ModelSequencer()
  let result: Outcome = Outcome.UNKNOWN_EVSE
  model.refuse = ({ evse }) => (evse === 1 ? result : undefined)
  await using rig = await openRig([model.client()])
  await rig.box.put([unsignedRow(1, 1), unsignedRow(2, 1)])
  await rig.until(1)
  while (model.requests.length < 6) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(await rig.box.find(0, unsignedRow(1, 1).row), 'WAITING')
  assert.deepEqual(
    rig.delivery.problems().map(({ code }) => code),
    ['UNKNOWN_EVSE'],
  )
  rig.clock.ms += 6 * 3_600_000
  await rig.until(2)
  assert.deepEqual(rig.names(), ['SETTLED', 'UNKNOWN_EVSE'])

  result = Outcome.NO_EVENT
  await rig.box.put([unsignedRow(1, 2)])
  await rig.until(3)
  result = Outcome.MALFORMED
  const broken = unsignedRow(1, 3)
  broken.row[12] = 61
  await rig.box.put([broken])
  await rig.until(4)
  assert.deepEqual(rig.names().slice(2), ['NO_EVENT', 'MALFORMED'])
  const kept = await rig.box.find(0, unsignedRow(1, 2).row)
  assert.ok(kept !== 'WAITING' && kept?.answer.code === Outcome.NO_EVENT)
})

test('a record ahead of the lane’s clock is tried again and settles', async () => {
  const model = new ModelSequencer()
  let isOver = false
  model.refuse = () => (isOver ? undefined : Outcome.MALFORMED)
  await using rig = await openRig([model.client()])
  await rig.box.put([1, 2].map((index) => unsignedRow(1, index)))
  while (model.requests.length < 4) await new Promise((resolve) => setImmediate(resolve))
  isOver = true
  await rig.until(2)
  assert.deepEqual(rig.names(), ['SETTLED', 'SETTLED'])
})

test('without a receipt that is believed a record is kept; other EVSEs go on', async () => {
  const model = new ModelSequencer()
  let isHonest = false
  model.withReceipts = ({ evse }) => evse !== 1 || isHonest
  await using rig = await openRig([model.client()])
  await rig.box.put([unsignedRow(1, 1), unsignedRow(1, 2), unsignedRow(2, 1)])
  await rig.until(1)
  while (model.requests.length < 5) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(rig.answered.length, 1)
  assert.equal(rig.delivery.problems()[0]?.code, 'RECEIPT_UNVERIFIED')
  isHonest = true
  await rig.until(3)
  assert.equal(rig.box.figures().waitingRows, 0)
})

test('an answer that is not believed of a mixed request stops only whose rows it is about', async () => {
  const model = new ModelSequencer()
  const inner = model.client()
  let isHonest = false
  const liar: RecordClient = {
    ...inner,
    submit: async (request) => {
      const rows = Array.from({ length: request.rows.length / 88 }, (_, i) => request.rows[i * 88 + 3])
      if (!isHonest && rows.includes(1)) throw new SubmitError('UNVERIFIED', 'false', { fault: 'WRONG_PLACE' })
      return inner.submit(request)
    },
  }
  await using rig = await openRig([liar])
  await rig.box.put([1, 2, 3].map((evse) => unsignedRow(evse, 1)))
  await rig.until(2)
  assert.deepEqual(new Set(rig.answered.map(({ row }) => row[3])), new Set([2, 3]))
  isHonest = true
  await rig.until(3)
})

test('a row for which whole requests are refused stops nobody else, and not the rows before it', async () => {
  for (const code of ['REJECTED', 'BAD_ANSWER'] as const) {
    const model = new ModelSequencer()
    const inner = model.client()
    const isBad = (rows: Uint8Array, at: number): boolean => rows[at * 88 + 3] === 1 && rows[at * 88 + 24] === 6
    const strict: RecordClient = {
      ...inner,
      submit: async (request) => {
        const count = request.rows.length / 88
        if (Array.from({ length: count }, (_, i) => i).some((i) => isBad(request.rows, i)))
          throw new SubmitError(code, 'one of them cannot be read')
        return inner.submit(request)
      },
    }
    await using rig = await openRig([strict])
    const rows = [1, 2, 3].flatMap((evse) => Array.from({ length: 10 }, (_, i) => unsignedRow(evse, i)))
    await rig.box.put(rows)
    // All ten of two EVSEs, and the five before the bad one.
    await rig.until(25)
    assert.ok(rig.names().every((name) => name === 'SETTLED'))
    assert.equal(rig.box.figures().waitingRows, 5)
    assert.equal(rig.delivery.problems().at(-1)?.code, `SUBMIT_${code}`)
  }
})

test('what is answered of a request is kept, though the rest is not answered', async () => {
  const model = new ModelSequencer()
  const inner = model.client()
  const slow: RecordClient = {
    ...inner,
    submit: async (request) => {
      const count = request.rows.length / 88
      if (count === 1) throw new SubmitError('NO_ANSWER', 'nothing of it in time')
      const answered = await inner.submit({ ...request, rows: request.rows.subarray(0, 88) })
      const error = new SubmitError('NO_ANSWER', 'not all of it in time')
      error.answered = Array.from({ length: count }, (_, i) => answered[i])
      throw error
    },
  }
  await using rig = await openRig([slow])
  await rig.box.put([1, 2, 3].map((index) => unsignedRow(1, index)))
  await rig.until(2)
  assert.deepEqual(rig.names(), ['SETTLED', 'SETTLED'])
  assert.equal(await rig.box.find(0, unsignedRow(1, 3).row), 'WAITING')
})

test('where nothing but refusals comes back the lane itself is told as broken', async () => {
  const stranger: RecordClient = {
    ...new ModelSequencer().client(),
    submit: () => Promise.reject(new SubmitError('REJECTED', 'HTTP 404')),
  }
  await using rig = await openRig([stranger])
  await rig.box.put([1, 2].map((evse) => unsignedRow(evse, 1)))
  const isTold = (): boolean => rig.delivery.problems().some(({ evse }) => evse === undefined)
  while (!isTold()) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(rig.delivery.problems()[0]?.code, 'SUBMIT_REJECTED')
})

test('a wait that ends between two looks at the clock is not forgotten', async () => {
  const model = new ModelSequencer()
  model.refuse = () => (model.requests.length < 30 ? Outcome.UNKNOWN_EVSE : undefined)
  let steadyMs = 0
  await using rig = await openRig([model.client()], {}, () => (steadyMs += 0.4))
  await rig.box.put([unsignedRow(1, 1)])
  await rig.until(1)
  assert.deepEqual(rig.names(), ['SETTLED'])
})

test('a record dated far ahead does not keep those of the right time waiting for its date', async () => {
  const model = new ModelSequencer()
  const isAhead = ({ start }: { start: number }): boolean => start >= FIRST_INTERVAL + 60 * 2_000
  model.refuse = (record) => (isAhead(record) ? Outcome.MALFORMED : undefined)
  await using rig = await openRig([model.client()])
  await rig.box.put([unsignedRow(1, 2_000)])
  while (model.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await rig.box.put([unsignedRow(1, 1)])
  await rig.until(1)
  assert.deepEqual(rig.names(), ['SETTLED'])
})

test('another address takes over while the first does not answer', async () => {
  const model = new ModelSequencer()
  const dead: RecordClient = {
    ...model.client(),
    submit: () => Promise.reject(new SubmitError('NO_ANSWER', 'cannot be reached')),
  }
  await using rig = await openRig([dead, model.client()])
  await rig.box.put([unsignedRow(1, 1)])
  await rig.until(1)
  await rig.box.put([unsignedRow(1, 2)])
  await rig.until(2)
  assert.deepEqual(rig.delivery.problems(), [])
})
