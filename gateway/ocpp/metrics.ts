import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'

export interface OcppMetrics {
  connected(): void
  disconnected(): void
  refused(code: string): void
  /** `action` is one of those the gateway knows. */
  answered(action: string, outcome: 'ok' | 'error', seconds: number): void
  malformed(kind: 'message' | 'schema'): void
  event(kind: string, offline: boolean): void
  command(action: string, answer: string, seconds: number): void
  problem(code: string): void
}

export function ocppMetrics(metrics: Metrics): OcppMetrics {
  const connections = metrics.gauge({ name: 'ocpp_connections', help: 'Stations connected.' })
  const refused = metrics.counter({
    name: 'ocpp_refused_total',
    help: 'Connections that were not let in, by reason.',
    labels: ['code'],
  })
  const messages = metrics.counter({
    name: 'ocpp_messages_total',
    help: 'Calls of stations, by action and whether they were answered with an error.',
    labels: ['action', 'outcome'],
  })
  const answer = metrics.histogram({
    name: 'ocpp_answer_seconds',
    help: 'From a call of a station to its answer; for transactions that includes the durable write.',
    labels: ['action'],
    buckets: SECONDS_BUCKETS,
  })
  const malformed = metrics.counter({
    name: 'ocpp_malformed_total',
    help: 'Messages that are no OCPP (message) or break the schema of their action (schema).',
    labels: ['kind'],
  })
  const events = metrics.counter({
    name: 'ocpp_transaction_events_total',
    help: 'Messages about transactions handed on, by kind and whether they were replayed from a queue of the station.',
    labels: ['kind', 'offline'],
  })
  const commands = metrics.counter({
    name: 'ocpp_commands_total',
    help: 'Calls to stations, by what they answered.',
    labels: ['action', 'answer'],
  })
  const commandSeconds = metrics.histogram({
    name: 'ocpp_command_seconds',
    help: 'From a command to its answer, the wait for the wire included.',
    labels: ['action'],
    buckets: SECONDS_BUCKETS,
  })
  const problems = metrics.counter({
    name: 'ocpp_problems_total',
    help: 'What an operator must look at, by code (docs/gateway.md).',
    labels: ['code'],
  })
  return {
    connected: () => connections.inc(),
    disconnected: () => connections.dec(),
    refused: (code) => refused.inc({ code }),
    answered(action, outcome, seconds) {
      messages.inc({ action, outcome })
      answer.observe({ action }, seconds)
    },
    malformed: (kind) => malformed.inc({ kind }),
    event: (kind, offline) => events.inc({ kind, offline: String(offline) }),
    command(action, answerCode, seconds) {
      commands.inc({ action, answer: answerCode })
      commandSeconds.observe({ action }, seconds)
    },
    problem: (code) => problems.inc({ code }),
  }
}
