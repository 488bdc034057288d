import type { Metrics } from '../../runtime/metrics.ts'
import type { Routes } from '../httpServer.ts'
import type { LaneQueries } from '../queries.ts'
import { addHealthRoute } from './health.ts'

/** `GET /metrics` and `/healthz`, for a server that listens on loopback or an internal network: metrics tell much about a business. */
export function adminRoutes(parts: { metrics: Metrics; queries: Pick<LaneQueries, 'problems'> }): Routes {
  return (app) => {
    addHealthRoute(app, parts.queries)
    app.get('/metrics', async (_request, reply) =>
      reply.header('content-type', parts.metrics.contentType).send(await parts.metrics.text()),
    )
  }
}
