import type { FastifyInstance } from 'fastify'
import type { LaneQueries } from '../queries.ts'
import { sendJson } from './json.ts'

/** `GET /healthz`: 200, or 503 with what is wrong. */
export function addHealthRoute(app: FastifyInstance, queries: Pick<LaneQueries, 'problems'>): void {
  app.get('/healthz', (_request, reply) => {
    const problems = queries.problems()
    reply.header('cache-control', 'no-store').code(problems.length === 0 ? 200 : 503)
    return sendJson(reply, { status: problems.length === 0 ? 'ok' : 'unavailable', problems })
  })
}
