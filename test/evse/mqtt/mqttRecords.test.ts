import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { SubmitError } from '../../../client/submitError.ts'
import { answerPayload, MqttRecords } from '../../../evse/mqtt/mqttRecords.ts'
import type { AnswerPayload, MessageFault } from '../../../evse/mqtt/payloads.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { DUPLICATE } from '../../../protocol/wire.ts'
import { DEPLOYMENT, Operator, trustedVerifier } from '../../gateway/mqtt/operator.ts'
import { signedRow } from '../../gateway/mqtt/site.ts'
import { until } from '../../support/until.ts'

const LANE = 3

function open(
  options: { timeoutMs?: number; attempts?: number; isUp?: boolean; onSent?: (count: number) => void } = {},
) {
  const { timeoutMs = 60_000, attempts = 1, isUp = true, onSent } = options
  const sent: Buffer[] = []
  const closing = new AbortController()
  const records = new MqttRecords({
    lane: LANE,
    receipts: trustedVerifier(),
    retry: { attempts, firstDelayMs: 1, maxDelayMs: 1 },
    timeoutMs,
    publish: async (payload) => {
      const count = sent.push(payload)
      onSent?.(count)
    },
    whenUp: async () => isUp,
    closing: closing.signal,
  })
  return { records, sent, closing }
}

async function answered(operator: Operator, row: Uint8Array): Promise<AnswerPayload> {
  return answerPayload(row, await operator.answer(LANE, row), DEPLOYMENT)
}

const code = (wanted: string, fault?: string) => (error: unknown) =>
  error instanceof SubmitError && error.code === wanted && error.fault === fault

const rows = [0, 1, 2].map((index) => signedRow(0, index))

test('resolves in the order of the rows, in whatever order answers come', async () => {
  const operator = new Operator()
  const { records, sent } = open()
  const submitting = records.submit({ lane: LANE, rows: Buffer.concat(rows) })
  await until(() => sent.length === 1)
  const answers: AnswerPayload[] = []
  for (const row of rows) answers.push(await answered(operator, row))
  for (const answer of [...answers].reverse()) records.takeAnswer(answer)
  const results = await submitting
  assert.deepEqual(
    results.map(({ position, receipt }) => [position, receipt!.position]),
    [
      [0, 0],
      [1, 1],
      [2, 2],
    ],
  )
})

test('only what was not answered is sent again', async () => {
  const operator = new Operator()
  const answers: AnswerPayload[] = []
  for (const row of rows) answers.push(await answered(operator, row))
  // At once: what is waited for is the end of the wait alone.
  const onSent = (count: number): void => {
    for (const i of count === 1 ? [0, 2] : [1]) records.takeAnswer(answers[i]!)
  }
  const { records, sent } = open({ attempts: 3, timeoutMs: 40, onSent })
  assert.equal((await records.submit({ lane: LANE, rows: Buffer.concat(rows) })).length, 3)
  assert.deepEqual(sent, [Buffer.concat(rows), Buffer.from(rows[1]!)])
})

test('no receipt in time, no connection, and a closed client are NO_ANSWER; the caller’s own reason is his', async () => {
  const one = { lane: LANE, rows: rows[0]! }
  await assert.rejects(open({ timeoutMs: 20 }).records.submit(one), code('NO_ANSWER'))
  await assert.rejects(open({ isUp: false }).records.submit(one), code('NO_ANSWER'))
  const { records, closing } = open()
  const submitting = records.submit(one)
  closing.abort(new SubmitError('NO_ANSWER', 'the client was closed'))
  await assert.rejects(submitting, /closed/)
  const stop = new AbortController()
  const stopped = open().records.submit({ ...one, signal: stop.signal })
  stop.abort(new Error('enough'))
  await assert.rejects(stopped, /enough/)
})

test('an answer without the operator’s word for this record is not believed', async () => {
  const operator = new Operator()
  const good = await answered(operator, rows[0]!)
  const other = await answered(operator, rows[1]!)
  const { receipt, ...bare } = good
  const wrong: [AnswerPayload, string][] = [
    [bare, 'NO_RECEIPT'],
    [{ ...good, receipt: other.receipt }, 'WRONG_PLACE'],
    [{ ...good, receipt: { ...receipt!, chainId: 1 } }, 'WRONG_PLACE'],
    [{ ...good, receipt: { ...receipt!, lane: LANE + 1 } }, 'WRONG_PLACE'],
    [{ ...good, position: 7 }, 'WRONG_PLACE'],
    [{ ...good, receipt: { ...receipt!, root: other.receipt!.root } }, 'WRONG_PLACE'],
    [{ ...good, receipt: { ...receipt!, signature: other.receipt!.signature } }, 'WRONG_SIGNER'],
    [{ ...good, receipt: { ...receipt!, time: receipt!.time + 1 } }, 'WRONG_SIGNER'],
    [{ ...good, receipt: { ...receipt!, time: receipt!.time + 3_600 } }, 'WRONG_TIME'],
  ]
  for (const [answer, fault] of wrong) {
    const { records, sent } = open()
    const submitting = records.submit({ lane: LANE, rows: rows[0]! })
    await until(() => sent.length === 1)
    records.takeAnswer(answer)
    await assert.rejects(submitting, code('UNVERIFIED', fault), fault)
  }
  // And as it should be: also hours later, as a repeat.
  for (const result of ['SETTLED', 'DUPLICATE'] as const) {
    const { records, sent } = open()
    const submitting = records.submit({ lane: LANE, rows: rows[0]! })
    await until(() => sent.length === 1)
    records.takeAnswer({ ...good, result })
    const [answer] = await submitting
    assert.equal(answer!.code, result === 'SETTLED' ? Outcome.SETTLED : DUPLICATE)
  }
})

test('an outcome that accepts nothing needs no receipt', async () => {
  const { records, sent } = open()
  const submitting = records.submit({ lane: LANE, rows: rows[0]! })
  await until(() => sent.length === 1)
  const result = { code: Outcome.NO_EVENT, position: 0, amountMicro: 0 }
  records.takeAnswer(answerPayload(rows[0]!, result, DEPLOYMENT))
  assert.deepEqual(await submitting, [result])
})

test('what the gateway refuses for good is refused at once; what it will take later is waited for', async () => {
  const of = `0x${createHash('sha256').update(rows[0]!).digest('hex')}`
  const error = (fault: MessageFault, retryable: boolean, about = of) => ({
    code: fault,
    message: 'no',
    channel: 'records' as const,
    of: about,
    retryable,
  })
  const cases: [MessageFault, string][] = [
    ['WRONG_EVSE', 'REJECTED'],
    ['UNKNOWN_LANE', 'UNKNOWN_LANE'],
  ]
  for (const [fault, wanted] of cases) {
    const { records, sent } = open({ attempts: 5 })
    const submitting = records.submit({ lane: LANE, rows: rows[0]! })
    await until(() => sent.length === 1)
    records.takeError(error(fault, false, `0x${'00'.repeat(32)}`)) // another message's
    records.takeError(error('GATEWAY_BUSY', true))
    records.takeError(error(fault, false))
    await assert.rejects(submitting, code(wanted))
    assert.equal(sent.length, 1)
  }
})

test('a badly signed row has an answer of its own, and does not fail those beside it', async () => {
  const operator = new Operator()
  const { records, sent } = open()
  const submitting = records.submit({ lane: LANE, rows: Buffer.concat(rows) })
  await until(() => sent.length === 1)
  const of = `0x${createHash('sha256').update(sent[0]!).digest('hex')}`
  records.takeError({ code: 'BAD_SIGNATURE', message: 'one of 3', channel: 'records', of, retryable: false })
  const bad = { code: Outcome.BAD_SIGNATURE, position: 0, amountMicro: 0 } as const
  records.takeAnswer(answerPayload(rows[1]!, bad, DEPLOYMENT))
  for (const row of [rows[0]!, rows[2]!]) records.takeAnswer(await answered(operator, row))
  assert.deepEqual(
    (await submitting).map(({ code }) => code),
    [Outcome.SETTLED, Outcome.BAD_SIGNATURE, Outcome.SETTLED],
  )
})

test('what was answered in time is told with the failure of the rest', async () => {
  const operator = new Operator()
  const first = await answered(operator, rows[0]!)
  const { records } = open({ timeoutMs: 40, onSent: () => records.takeAnswer(first) })
  await assert.rejects(records.submit({ lane: LANE, rows: Buffer.concat(rows) }), (error) => {
    assert.ok(error instanceof SubmitError && error.code === 'NO_ANSWER')
    assert.deepEqual(
      error.answered?.map((answer) => answer?.code),
      [Outcome.SETTLED, undefined, undefined],
    )
    return true
  })
})

test('rows that are no rows, or of another lane, never leave', async () => {
  const { records, sent } = open()
  for (const length of [0, 87, 88 * 1_025]) {
    await assert.rejects(records.submit({ lane: LANE, rows: new Uint8Array(length) }), RangeError)
  }
  await assert.rejects(records.submit({ lane: LANE + 1, rows: rows[0]! }), code('UNKNOWN_LANE'))
  assert.equal(sent.length, 0)
})

test('no more than sixteen submits are under way; the others wait', async () => {
  const operator = new Operator()
  const { records, sent } = open()
  const many = Array.from({ length: 40 }, (_, index) => signedRow(0, index))
  const submitting = Promise.all(many.map((row) => records.submit({ lane: LANE, rows: row })))
  await until(() => sent.length === 16)
  for (let done = 0; done < 40; done++) {
    await until(() => sent.length > done)
    assert.ok(sent.length - done <= 16)
    records.takeAnswer(await answered(operator, sent[done]!))
  }
  assert.equal((await submitting).length, 40)
})
