import type { FastifyInstance, FastifyReply } from 'fastify'
import { MAX_SLOTS } from '../../protocol/limits.ts'
import { receiptJson } from '../../protocol/receiptJson.ts'
import { resultName } from '../../protocol/wire.ts'
import { type Routes, sendProblem } from '../httpServer.ts'
import { API_DEFAULT_PAGE, API_MAX_PAGE } from '../limits.ts'
import type { ForcedLife, LaneQueries, RecordLife } from '../queries.ts'
import { addHealthRoute } from './health.ts'
import { sendJson } from './json.ts'

/**
 * The public query API (docs/api.md): lanes, batches, a record's life, an owner's credit with the claim to withdraw it. All of it is public
 * on L1 sooner or later, so it may be read from any web page.
 */
export function queryRoutes(queries: LaneQueries): Routes {
  return (app) =>
    void app.register(async (scope) => {
      scope.addHook('onRequest', async (_request, reply) => {
        reply.header('access-control-allow-origin', '*')
      })
      addHealthRoute(scope, queries)
      addLaneRoutes(scope, queries)
      addBatchRoutes(scope, queries)
      addRecordRoute(scope, queries)
      addForcedRoute(scope, queries)
      addReceiptRoute(scope, queries)
      addContractRoute(scope, queries)
    })
}

interface PageQuery {
  from?: string
  limit?: string
}

interface LaneParams {
  lane: string
}

function addLaneRoutes(app: FastifyInstance, queries: LaneQueries): void {
  app.get('/v1/lanes', (_request, reply) =>
    sendJson(reply, { lanes: queries.lanes().map((lane) => queries.lane(lane)) }),
  )
  app.get<{ Params: LaneParams }>('/v1/lanes/:lane', (request, reply) => {
    const lane = knownLane(queries, request.params.lane)
    return lane === undefined ? notFound(reply, 'UNKNOWN_LANE') : sendJson(reply, queries.lane(lane)!)
  })
}

function addBatchRoutes(app: FastifyInstance, queries: LaneQueries): void {
  app.get<{ Params: LaneParams; Querystring: PageQuery }>('/v1/lanes/:lane/batches', async (request, reply) => {
    const lane = knownLane(queries, request.params.lane)
    if (lane === undefined) return notFound(reply, 'UNKNOWN_LANE')
    const { closedIndex } = queries.lane(lane)!
    const page = parsePage(request.query, closedIndex)
    if (typeof page === 'string') return badParameter(reply, page)
    const batches = await queries.batches({ lane, ...page })
    const next = page.from + batches.length
    return sendJson(reply, { batches, next: batches.length > 0 && next <= closedIndex ? next : null })
  })
  app.get<{ Params: LaneParams & { index: string } }>('/v1/lanes/:lane/batches/:index', async (request, reply) => {
    const lane = knownLane(queries, request.params.lane)
    if (lane === undefined) return notFound(reply, 'UNKNOWN_LANE')
    const index = parseWhole(request.params.index, Number.MAX_SAFE_INTEGER)
    if (index === undefined) return badParameter(reply, 'index is a batch index')
    const batch = await queries.batch(lane, index)
    return batch === undefined ? notFound(reply, 'UNKNOWN_BATCH') : sendJson(reply, batch)
  })
}

function addRecordRoute(app: FastifyInstance, queries: LaneQueries): void {
  type Params = LaneParams & { evse: string; start: string }
  app.get<{ Params: Params }>('/v1/lanes/:lane/records/:evse/:start', async (request, reply) => {
    const lane = knownLane(queries, request.params.lane)
    if (lane === undefined) return notFound(reply, 'UNKNOWN_LANE')
    const evse = parseSlot(request.params.evse)
    const start = parseWhole(request.params.start, 0xffffffff)
    if (evse === undefined || start === undefined) {
      return badParameter(reply, 'evse is a slot, start the first interval (15 s since 1970)')
    }
    const life = await queries.record({ lane, evse, start })
    return life === undefined ? notFound(reply, 'UNKNOWN_RECORD') : sendJson(reply, recordJson(life))
  })
}

function addForcedRoute(app: FastifyInstance, queries: LaneQueries): void {
  app.get<{ Params: LaneParams; Querystring: PageQuery }>('/v1/lanes/:lane/forced', async (request, reply) => {
    const lane = knownLane(queries, request.params.lane)
    if (lane === undefined) return notFound(reply, 'UNKNOWN_LANE')
    const { queued } = queries.lane(lane)!.forced
    const page = parsePage(request.query, queued - 1)
    if (typeof page === 'string') return badParameter(reply, page)
    const entries = await queries.forced({ lane, ...page })
    const next = page.from + entries.length
    return sendJson(reply, {
      entries: entries.map(forcedJson),
      next: entries.length > 0 && next < queued ? next : null,
    })
  })
}

function addReceiptRoute(app: FastifyInstance, queries: LaneQueries): void {
  type Params = LaneParams & { position: string }
  app.get<{ Params: Params }>('/v1/lanes/:lane/records/:position/receipt', async (request, reply) => {
    const lane = knownLane(queries, request.params.lane)
    if (lane === undefined) return notFound(reply, 'UNKNOWN_LANE')
    const position = parseWhole(request.params.position, Number.MAX_SAFE_INTEGER)
    if (position === undefined) return badParameter(reply, 'position is a place in the lane’s order')
    const file = await queries.receipt(lane, position)
    return file === undefined ? notFound(reply, 'UNKNOWN_RECEIPT') : sendJson(reply, receiptJson(file))
  })
}

function addContractRoute(app: FastifyInstance, queries: LaneQueries): void {
  app.get<{ Params: LaneParams & { slot: string } }>('/v1/lanes/:lane/contracts/:slot', async (request, reply) => {
    const lane = knownLane(queries, request.params.lane)
    if (lane === undefined) return notFound(reply, 'UNKNOWN_LANE')
    const slot = parseSlot(request.params.slot)
    if (slot === undefined) return badParameter(reply, 'the contract is a slot')
    const credit = await queries.contract(lane, slot)
    return credit === undefined ? notFound(reply, 'UNKNOWN_CONTRACT') : sendJson(reply, credit)
  })
}

function forcedJson(life: ForcedLife): object {
  return life.outcome === undefined ? life : { ...life, outcome: resultName(life.outcome) }
}

function recordJson(life: RecordLife): object {
  return { ...life, outcome: resultName(life.outcome) }
}

const missing = {
  UNKNOWN_LANE: 'this sequencer has no such lane',
  UNKNOWN_BATCH: 'no closed batch has this index',
  UNKNOWN_RECORD: 'no record of this EVSE and start was accepted',
  UNKNOWN_RECEIPT: 'no record at this position was promised',
  UNKNOWN_CONTRACT: 'no contract is enrolled in this slot',
} as const

function notFound(reply: FastifyReply, code: keyof typeof missing): FastifyReply {
  return sendProblem(reply, { status: 404, code, message: missing[code] })
}

function badParameter(reply: FastifyReply, message: string): FastifyReply {
  return sendProblem(reply, { status: 400, code: 'BAD_PARAMETER', message })
}

function knownLane(queries: LaneQueries, text: string): number | undefined {
  const lane = parseWhole(text, 0xffffffff)
  return lane !== undefined && queries.lane(lane) !== undefined ? lane : undefined
}

function parseSlot(text: string): number | undefined {
  return parseWhole(text, MAX_SLOTS - 1)
}

/** The newest page unless it is said where to begin; what is wrong with it, if something is. */
function parsePage(query: PageQuery, newest: number): { from: number; limit: number } | string {
  const limit = parseQuery(query.limit, API_DEFAULT_PAGE)
  if (limit === undefined || limit < 1 || limit > API_MAX_PAGE) return `limit is 1 to ${API_MAX_PAGE}`
  const from = parseQuery(query.from, Math.max(0, newest - limit + 1))
  return from === undefined ? 'from is an index' : { from, limit }
}

function parseQuery(text: unknown, absent: number): number | undefined {
  if (text === undefined) return absent
  return typeof text === 'string' ? parseWhole(text, Number.MAX_SAFE_INTEGER) : undefined
}

/** Plain decimal digits; nothing else counts as a number in a path. */
function parseWhole(text: string, max: number): number | undefined {
  const value = Number(text)
  return /^\d{1,16}$/.test(text) && value <= max ? value : undefined
}
