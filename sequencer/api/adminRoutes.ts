import type { Metrics } from '../../runtime/metrics.ts'
import type { Routes } from '../httpServer.ts'
import type { LaneQueries } from '../queries.ts'
import { addHealthRoute } from './health.ts'
import { sendJson } from './json.ts'

export interface AdminParts {
  readonly metrics: Metrics
  readonly queries: Pick<LaneQueries, 'problems'>
  /** Absent: none are configured. */
  readonly webhooks?: { status(): object; refreshMetrics(): void } | undefined
}

/**
 * `GET /metrics`, `/healthz` and `/webhooks`, for a server that listens on loopback or an internal network: they tell much about a business.
 */
export function adminRoutes({ metrics, queries, webhooks }: AdminParts): Routes {
  return (app) => {
    addHealthRoute(app, queries)
    app.get('/metrics', async (_request, reply) => {
      webhooks?.refreshMetrics()
      return reply.header('content-type', metrics.contentType).send(await metrics.text())
    })
    app.get('/webhooks', (_request, reply) => sendJson(reply, webhooks?.status() ?? { webhooks: [] }))
  }
}
