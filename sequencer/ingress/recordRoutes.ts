import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { INTERVAL_SECONDS } from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { rangeReceiptJson } from '../../protocol/receiptJson.ts'
import { encodeReceipts } from '../../protocol/receiptWire.ts'
import { recordEvse, recordStart } from '../../protocol/record.ts'
import { BLS_LAYOUT, type SchemeLayout } from '../../protocol/scheme.ts'
import { MAX_REQUEST_RECORDS, RESULT_BYTES, type ResultCode, readResult } from '../../protocol/wire.ts'
import { hostKey } from '../../runtime/hostConnections.ts'
import { type HttpProblem, type Routes, sendProblem } from '../httpServer.ts'
import { HTTP_ANSWER_TIMEOUT_MS, httpMaxBinaryBytes, httpMaxJsonBytes, INGRESS_RETRY_AFTER_MS } from '../limits.ts'
import type { LaneQueries } from '../queries.ts'
import type { Submission, SubmissionAnswer } from '../submission.ts'
import type { Ticket } from './admission.ts'
import type { Intake } from './intake.ts'
import { type JsonRows, parseJsonRecords } from './jsonRecords.ts'
import { answerStatus, recordStatus, recordStatusJson } from './recordStatus.ts'

const BINARY = 'application/octet-stream'
const JSON_TYPE = 'application/json'

export interface RecordRoutesParts {
  intake: Intake
  queries: Pick<LaneQueries, 'evseEndedBefore'>
  /** Default HTTP_ANSWER_TIMEOUT_MS. */
  answerTimeoutMs?: number
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The records this request is charged for; undefined until admitted. */
    ticket: Ticket | undefined
    /** The handler answers for the ticket from here on. */
    ticketTaken: boolean
    /** Of the lane that the path names; undefined until it is known to be served here. */
    lane: { readonly id: number; readonly layout: SchemeLayout } | undefined
  }
}

/** `POST /v1/lanes/:lane/records` (docs/api.md). Nothing of a body is read before the request is admitted by its declared length. */
export function recordRoutes(parts: RecordRoutesParts): Routes {
  return (app) =>
    void app.register(async (scope) => {
      scope.decorateRequest('ticket', undefined)
      scope.decorateRequest('ticketTaken', false)
      scope.decorateRequest('lane', undefined)
      addParsers(scope)
      scope.addHook('onRequest', async (request, reply) => {
        const problem = findLane(parts.intake, request) ?? problemOfHead(request) ?? admit(parts.intake, request, reply)
        if (problem === undefined) return
        // What is not going to be read must not be sent: without this the peer may go on pouring a body of any length.
        if (problem.status === 404 || problem.status === 411 || problem.status === 413)
          reply.header('connection', 'close')
        return sendProblem(reply, problem)
      })
      scope.post('/v1/lanes/:lane/records', (request, reply) => serve(parts, request, reply))
    })
}

function addParsers(scope: FastifyInstance): void {
  scope.addContentTypeParser(
    BINARY,
    { parseAs: 'buffer', bodyLimit: httpMaxBinaryBytes(BLS_LAYOUT) },
    (request: FastifyRequest, body: Buffer, done) =>
      done(null, { rows: body, count: body.length / request.lane!.layout.rowBytes } satisfies JsonRows),
  )
  scope.addContentTypeParser(
    JSON_TYPE,
    { parseAs: 'buffer', bodyLimit: httpMaxJsonBytes(BLS_LAYOUT) },
    (request: FastifyRequest, body: Buffer, done) =>
      done(null, parseJsonRecords(body.toString('utf8'), request.lane!.layout)),
  )
}

function findLane(intake: Intake, request: FastifyRequest): HttpProblem | undefined {
  const id = parseLane((request.params as { lane: string }).lane)
  const layout = id === undefined ? undefined : intake.layoutOf(id)
  if (id === undefined || layout === undefined) return unknownLane
  request.lane = { id, layout }
  return undefined
}

/** What can be said from the headers alone. */
function problemOfHead(request: FastifyRequest): HttpProblem | undefined {
  const { layout } = request.lane!
  const type = mediaType(request)
  if (type !== BINARY && type !== JSON_TYPE) {
    const message = `send ${BINARY} or ${JSON_TYPE}`
    return { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message }
  }
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    return { status: 415, code: 'UNSUPPORTED_ENCODING', message: 'compressed bodies are not taken' }
  }
  const bytes = Number(request.headers['content-length'])
  if (!Number.isInteger(bytes)) {
    return { status: 411, code: 'LENGTH_REQUIRED', message: 'Content-Length is required' }
  }
  if (type === JSON_TYPE) {
    if (bytes === 0) return { status: 400, code: 'BAD_JSON', message: 'the body is empty' }
    const most = httpMaxJsonBytes(layout)
    if (bytes <= most) return undefined
    return { status: 413, code: 'BODY_TOO_LARGE', message: `a JSON body takes at most ${most} bytes` }
  }
  if (bytes > httpMaxBinaryBytes(layout)) {
    return { status: 413, code: 'TOO_MANY_RECORDS', message: `a request holds at most ${MAX_REQUEST_RECORDS} records` }
  }
  if (bytes > 0 && bytes % layout.rowBytes === 0) return undefined
  const message = `the body is 1 or more times the ${layout.rowBytes} bytes of a row in this lane`
  return { status: 400, code: 'BAD_LENGTH', message }
}

/** Charges by bytes, as rows, before the body is read: JSON is charged for its bulk until it is known how many records it holds. */
function admit(intake: Intake, request: FastifyRequest, reply: FastifyReply): HttpProblem | undefined {
  const { layout } = request.lane!
  const charge = Math.ceil(Number(request.headers['content-length']) / layout.rowBytes)
  const admitted = intake.admit('http', hostKey(request.ip), charge, layout)
  if (admitted.ticket === undefined) {
    const { code, message, retryAfterMs } = admitted.refusal
    return { status: code === 'PEER_LIMIT' ? 429 : 503, code, message, retryAfterMs }
  }
  request.ticket = admitted.ticket
  reply.raw.once('close', () => {
    if (!request.ticketTaken) request.ticket?.leave()
  })
  return undefined
}

async function serve(parts: RecordRoutesParts, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const parsed = request.body as JsonRows
  if ('fault' in parsed) {
    const { code, message } = parsed.fault
    parts.intake.metrics.refused('http', code)
    return sendProblem(reply, { status: code === 'TOO_MANY_RECORDS' ? 413 : 400, code, message })
  }
  const lane = request.lane!.id
  const ticket = request.ticket!
  request.ticketTaken = true
  ticket.shrink(parsed.count)
  const submission = { lane, rows: parsed.rows, count: parsed.count }
  const answer = await withTimeout(
    parts.intake.submit('http', ticket, submission),
    parts.answerTimeoutMs ?? HTTP_ANSWER_TIMEOUT_MS,
  )
  if (answer === undefined) {
    const message = 'no answer yet; send the records again, those taken in will be duplicates'
    return sendProblem(reply, { status: 504, code: 'ANSWER_TIMEOUT', message, retryAfterMs: INGRESS_RETRY_AFTER_MS })
  }
  if (answer.refusal !== undefined) return sendProblem(reply, refusalProblem(answer))
  return sendResults(parts, request, reply, { ...submission, ...answer })
}

function sendResults(
  parts: RecordRoutesParts,
  request: FastifyRequest,
  reply: FastifyReply,
  answered: Submission & Extract<SubmissionAnswer, { results: Uint8Array }>,
): FastifyReply {
  const { results, count, receipts } = answered
  const codes: ResultCode[] = []
  for (let i = 0; i < count; i++) codes.push(results[i * RESULT_BYTES] as ResultCode)
  reply.code(answerStatus(codes))
  if (request.headers.accept?.includes(BINARY)) {
    return reply.header('content-type', BINARY).send(Buffer.concat([results, encodeReceipts(receipts)]))
  }
  const items = codes.map((code, i) => {
    const { position, amountMicro } = readResult(results, i * RESULT_BYTES)
    const row = i * request.lane!.layout.rowBytes
    const ended = code === Outcome.UNKNOWN_EVSE && evseEnded(parts, answered.lane, answered.rows, row)
    return recordStatusJson(recordStatus(code, ended), position, amountMicro)
  })
  return reply
    .header('content-type', 'application/json; charset=utf-8')
    .send(`{"results":[${items.join()}],"receipts":${JSON.stringify(receipts.map(rangeReceiptJson))}}`)
}

function evseEnded(parts: RecordRoutesParts, lane: number, rows: Uint8Array, at: number): boolean {
  const endSeconds = (recordStart(rows, at) + rows[at + 12]!) * INTERVAL_SECONDS
  return parts.queries.evseEndedBefore({ lane, evse: recordEvse(rows, at), endSeconds })
}

const unknownLane: HttpProblem = { status: 404, code: 'UNKNOWN_LANE', message: 'this sequencer has no such lane' }

function refusalProblem(answer: Extract<SubmissionAnswer, { refusal: object }>): HttpProblem {
  const { code, message, retryAfterMs } = answer.refusal
  if (code === 'UNKNOWN_LANE') return { ...unknownLane, message }
  return { status: 503, code, message, retryAfterMs: Math.max(retryAfterMs, INGRESS_RETRY_AFTER_MS) }
}

function parseLane(text: string): number | undefined {
  const lane = Number(text)
  return /^\d{1,10}$/.test(text) && lane <= 0xffffffff ? lane : undefined
}

function mediaType(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/** Undefined when the time is up first. A bare timer: an AbortSignal and the error it makes cost more than the rest of a request. */
function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, timeoutMs, undefined)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
