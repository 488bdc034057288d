import type { CommandPort } from '../../evse/guard/commandPort.ts'
import type { TelemetrySink } from '../../evse/guard/telemetry.ts'
import { type BrokerLink, openBrokerLink } from '../../evse/mqtt/brokerLink.ts'
import { MAX_CONTROL_BYTES } from '../../evse/mqtt/limits.ts'
import {
  commandAnswerSchema,
  type Parsed,
  type PositionPayload,
  parsePayload,
  positionSchema,
  statusSchema,
} from '../../evse/mqtt/payloads.ts'
import { allEvses, parseTopic, type Uplink } from '../../evse/mqtt/topics.ts'
import type { Outbox } from '../../evse/outbox/outbox.ts'
import { recordDomain } from '../../protocol/domain.ts'
import { Outcome } from '../../protocol/outcome.ts'
import type { ReceiptFile } from '../../protocol/receiptJson.ts'
import { recordEvse } from '../../protocol/record.ts'
import type { BackfeedError } from '../../runtime/errors.ts'
import { isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component } from '../../runtime/service.ts'
import type { Directory, EdgeEvse } from '../fleet/directory.ts'
import type { ReportsStatus, SourceProblem, SourceStatus } from '../sourceStatus.ts'
import { AnswerPublisher } from './answerPublisher.ts'
import type { MqttConfig } from './config.ts'
import { type Fault, FaultReplies } from './faultReplies.ts'
import { MAX_WAITING_PUBLISHES, RECORDS_SESSION_SECONDS } from './limits.ts'
import { mqttMetrics } from './metrics.ts'
import { MqttCommands } from './mqttCommands.ts'
import { RecordIntake, type RecordIntakeSettings } from './recordIntake.ts'
import { TelemetryIntake } from './telemetryIntake.ts'

/** What a sequencer would say of such a row (docs/protocol.md §5). */
const BADLY_SIGNED = { code: Outcome.BAD_SIGNATURE, position: 0, amountMicro: 0 } as const

export interface MqttDeps {
  readonly directory: Directory
  readonly outbox: Outbox
  /** What else goes into the write that takes an EVSE's rows in. Default: nothing. */
  readonly alsoTaken?: RecordIntakeSettings['alsoTaken']
  readonly telemetry: TelemetrySink
  /** Where an EVSE says it is. */
  readonly onPosition: (evse: string, position: PositionPayload) => void
  /** What records are signed for, and receipts are of. */
  readonly deployment: Pick<ReceiptFile, 'chainId' | 'rollup'>
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly now: () => number
  /** Steady clock, milliseconds. */
  readonly monotonicMs: () => number
  readonly metrics: Metrics
  readonly log: Logger
}

export interface MqttSource extends Component, ReportsStatus {
  readonly commands: CommandPort
  /** Resolves when both connections stand. */
  whenUp(timeoutMs: number): Promise<boolean>
}

/**
 * The gateway's side of the MQTT topics. Two connections: records are taken one after another and acknowledged when they are on disk, and
 * telemetry must not wait behind them.
 * @throws on start: BackfeedError ERR_AUTH_EXPIRED, CREDENTIALS_UNREADABLE, CONFIG_INVALID
 */
export function openMqtt(config: MqttConfig, deps: MqttDeps): MqttSource {
  const { directory, outbox, deployment, monotonicMs, now } = deps
  const log = deps.log.child({ source: 'mqtt' })
  const metrics = mqttMetrics(deps.metrics)
  const stopping = new AbortController()
  const offline = new Set<string>()
  const online = new Set<string>()
  /** EVSEs whose rows came this way though they speak OCPP too. */
  const senders = new Set<string>()
  const bySlot = new Map<string, string>()
  let recordsLink: BrokerLink | undefined
  let liveLink: BrokerLink | undefined
  let busy: unknown
  let rowsTaken = 0
  let unlisten = (): void => {}

  const publish = (topic: string, payload: Buffer, expirySeconds?: number): Promise<void> =>
    liveLink!.publish(topic, payload, { qos: 1, ...(expirySeconds !== undefined && { expirySeconds }) })

  const replies = new FaultReplies({
    publish: (topic, payload) =>
      publish(topic, payload).catch((err: unknown) => log.warn({ err }, 'an error was not sent')),
    monotonicMs,
  })
  const answers = new AnswerPublisher({ deployment, publish, metrics, log })
  const telemetry = new TelemetryIntake({ sink: deps.telemetry, metrics, now, monotonicMs })
  const commands = new MqttCommands({
    directory,
    publish,
    isReachable: (evse) => liveLink?.isUp === true && !offline.has(evse),
    timeoutMs: config.commandTimeoutMs,
    now,
    metrics,
    log,
  })

  const domains = new Map<number, Uint8Array>()
  const domainOf = (lane: number): Uint8Array => {
    const chainId = BigInt(deployment.chainId)
    const domain = domains.get(lane) ?? recordDomain({ chainId, rollup: deployment.rollup, lane })
    domains.set(lane, domain)
    return domain
  }
  const intake = new RecordIntake({
    outbox,
    domainOf,
    alsoTaken: deps.alsoTaken,
    onKnown: (evse, row) => answers.add(evse, row),
    onBusy: (error) => {
      busy = error
    },
    signal: stopping.signal,
  })

  const refuse = (topic: string, payload: Buffer, fault: Fault): void => {
    const address = parseTopic(topic)
    const channel = (address?.channel ?? 'records') as Uplink
    metrics.faults.inc({ channel, code: fault.code })
    log.debug({ topic, code: fault.code }, `message refused: ${fault.message}`)
    if (address !== undefined) replies.reply(address, channel, payload, fault)
  }

  /** Who speaks; undefined when it was told that it may not. */
  const speaker = (topic: string, payload: Buffer): { evse: EdgeEvse; channel: Uplink } | undefined => {
    const address = parseTopic(topic)
    if (address === undefined) {
      metrics.faults.inc({ channel: 'unknown', code: 'BAD_TOPIC' })
      return undefined
    }
    metrics.messages.inc({ channel: address.channel })
    const evse = directory.evse(address.evse)
    if (evse === undefined) {
      refuse(topic, payload, { code: 'UNKNOWN_EVSE', message: `this gateway knows no EVSE ${address.evse}` })
      return undefined
    }
    if (evse.lane !== address.lane) {
      refuse(topic, payload, { code: 'UNKNOWN_LANE', message: `${evse.name} is in lane ${evse.lane}` })
      return undefined
    }
    return { evse, channel: address.channel as Uplink }
  }

  const takeRecords = async (topic: string, payload: Buffer): Promise<void> => {
    const from = speaker(topic, payload)
    if (from === undefined) return
    const end = metrics.takeSeconds.startTimer()
    const { evse } = from
    if (evse.ocpp !== undefined) senders.add(evse.name)
    bySlot.set(`${evse.lane}/${evse.slot}`, evse.name)
    try {
      const { taken, fault, refused = [] } = await intake.take(evse, payload)
      metrics.rows.inc(taken)
      rowsTaken += taken
      if (taken > 0) busy = undefined
      if (fault !== undefined) refuse(topic, payload, fault)
      for (const row of refused) answers.add(evse, { row, answer: BADLY_SIGNED })
      end()
    } catch (error) {
      busy = error
      if (!stopping.signal.aborted) {
        refuse(topic, payload, { code: 'GATEWAY_BUSY', message: 'records cannot be kept now', retryable: true })
      }
      throw error
    }
  }

  const takeLive = (topic: string, payload: Buffer): void => {
    const from = speaker(topic, payload)
    if (from === undefined) return
    const { evse, channel } = from
    const bad = (why: string): void => refuse(topic, payload, { code: 'BAD_PAYLOAD', message: why })
    const read = <T>(parsed: Parsed<T>, take: (value: T) => void): void => {
      if (parsed.ok) take(parsed.value)
      else bad(parsed.why)
    }
    if (channel === 'telemetry') {
      if (evse.telemetry !== 'mqtt') return
      const why = telemetry.take(evse.name, payload)
      if (why !== undefined) bad(why)
    } else if (channel === 'status') {
      // A retained status that was taken back.
      if (payload.length === 0) return
      read(parsePayload(statusSchema, payload, MAX_CONTROL_BYTES), ({ state }) => {
        const [now, before] = state === 'online' ? [online, offline] : [offline, online]
        before.delete(evse.name)
        now.add(evse.name)
        metrics.evsesOnline.set(online.size)
      })
    } else if (channel === 'position') {
      read(parsePayload(positionSchema, payload, MAX_CONTROL_BYTES), (position) => deps.onPosition(evse.name, position))
    } else if (channel === 'commands/answers') {
      read(parsePayload(commandAnswerSchema, payload, MAX_CONTROL_BYTES), (answer) =>
        commands.takeAnswer(evse.name, answer),
      )
    }
  }

  const ownerOf = (lane: number, slot: number): EdgeEvse | undefined => {
    const known = bySlot.get(`${lane}/${slot}`)
    const evse = known === undefined ? undefined : directory.evse(known)
    if (evse !== undefined && evse.lane === lane && evse.slot === slot) return evse
    const found = directory.evses.find((each) => each.lane === lane && each.slot === slot)
    if (found !== undefined) bySlot.set(`${lane}/${slot}`, found.name)
    return found
  }

  const problems = (): SourceProblem[] => {
    const found: SourceProblem[] = []
    for (const link of [recordsLink, liveLink]) {
      const fault = link?.fault
      if (fault !== undefined && !found.some(({ code }) => code === fault.code)) found.push(problemOf(fault))
    }
    const expiresAtMs = liveLink?.expiresAtMs
    if (expiresAtMs !== undefined && expiresAtMs < now()) {
      const message = `the client certificate ended ${new Date(expiresAtMs).toISOString()}`
      found.push({ code: 'ERR_AUTH_EXPIRED', message })
    }
    if (isBackfeedError(busy)) found.push(problemOf(busy))
    return [...found, ...telemetry.problems()]
  }

  return {
    name: 'mqtt',
    commands,
    start: () => {
      const common = { config, now, log }
      liveLink = openBrokerLink({
        ...common,
        clientId: `${config.clientId}-live`,
        sessionSeconds: 0,
        subscriptions: {
          [allEvses('telemetry')]: 0,
          [allEvses('status')]: 1,
          [allEvses('position')]: 1,
          [allEvses('commands/answers')]: 1,
        },
        maxWaiting: MAX_WAITING_PUBLISHES,
        onMessage: takeLive,
        onUp: () => metrics.up.set({ connection: 'live' }, 1),
        onDown: () => {
          metrics.up.set({ connection: 'live' }, 0)
          commands.abandon()
        },
      })
      if (!config.records) return
      unlisten = outbox.onAnswered((row) => {
        const evse = ownerOf(row.lane, recordEvse(row.row, 0))
        if (evse !== undefined && (evse.ocpp === undefined || senders.has(evse.name))) answers.add(evse, row)
      })
      recordsLink = openBrokerLink({
        ...common,
        clientId: `${config.clientId}-records`,
        sessionSeconds: RECORDS_SESSION_SECONDS,
        subscriptions: { [allEvses('records')]: 2 },
        maxWaiting: 0,
        onMessage: takeRecords,
        onUp: () => metrics.up.set({ connection: 'records' }, 1),
        onDown: () => metrics.up.set({ connection: 'records' }, 0),
      })
    },
    stop: async () => {
      stopping.abort()
      unlisten()
      answers.stop()
      commands.abandon()
      await Promise.all([recordsLink?.close(), liveLink?.close()])
    },
    whenUp: async (timeoutMs) => {
      const links = [recordsLink, liveLink].filter((link) => link !== undefined)
      return (await Promise.all(links.map((link) => link.whenUp(timeoutMs)))).every(Boolean)
    },
    status: (): SourceStatus => {
      const found = problems()
      const isDown = liveLink?.isUp !== true || (config.records && recordsLink?.isUp !== true)
      return {
        name: 'mqtt',
        state: isDown ? 'DOWN' : found.length > 0 ? 'DEGRADED' : 'UP',
        figures: {
          broker: config.url,
          protocol: liveLink?.protocol ?? '',
          online: online.size,
          rows: rowsTaken,
          waitingPublishes: liveLink?.waiting ?? 0,
          waitingAnswers: answers.waiting,
        },
        problems: found,
      }
    },
  }
}

function problemOf({ code, message }: BackfeedError): SourceProblem {
  return { code, message }
}
