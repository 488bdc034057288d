import type { ReceiptVerifier } from '../../client/receiptVerifier.ts'
import type { RecordClient, RetrySettings } from '../../client/recordClient.ts'
import { SubmitError } from '../../client/submitError.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { CommandPort } from '../guard/commandPort.ts'
import { type BrokerLink, openBrokerLink } from './brokerLink.ts'
import { CommandRunner } from './commandRunner.ts'
import type { BrokerConfig } from './config.ts'
import { MAX_CONTROL_BYTES, MAX_RECEIPTS_BYTES, MAX_SUBMITS } from './limits.ts'
import { MqttRecords } from './mqttRecords.ts'
import {
  type CommandAnswerPayload,
  commandSchema,
  type ErrorPayload,
  encodePayload,
  errorSchema,
  type PositionPayload,
  parsePayload,
  receiptsSchema,
  type StatusPayload,
  type TelemetryPayload,
} from './payloads.ts'
import { EVSE_NAME, type EvseAddress, parseTopic, topicOf } from './topics.ts'

/** How long the broker keeps receipts for an agent that is away: what comes later is asked for again. */
const SESSION_SECONDS = 86_400

export interface MqttAgentSettings {
  readonly broker: BrokerConfig
  readonly address: EvseAddress
  readonly receipts: ReceiptVerifier | 'unchecked'
  readonly retry?: RetrySettings
  /** For the answers to one sending of records, milliseconds. Default 10 000. */
  readonly timeoutMs?: number
  /** Exactly once to the gateway (2), or at least once (1), which is as safe: repeats do no harm. Default 2. */
  readonly recordsQos?: 1 | 2
  /** What commands act on. Absent: every command is rejected. */
  readonly controls?: CommandPort
  /** Told what the gateway found wrong with a message, for logs and metrics. */
  readonly onError?: (error: ErrorPayload) => void
  /** Of the status message, for people. */
  readonly software?: string
  readonly now?: () => number
  readonly log: Logger
}

/** An EVSE's side of the MQTT topics, over one connection. */
export interface MqttAgent extends AsyncDisposable {
  readonly records: RecordClient
  /** Connected and subscribed. */
  readonly isUp: boolean
  /** Why it is not, or will not stay so. */
  readonly fault: BackfeedError | undefined
  whenUp(timeoutMs: number, signal?: AbortSignal): Promise<boolean>
  /** QoS 0, numbered here. False when it was dropped: no connection, or it is backed up. */
  telemetry(sample: Omit<TelemetryPayload, 'seq'>): boolean
  /** @throws BackfeedError MQTT_QUEUE_FULL, BROKER_UNREACHABLE, MQTT_REFUSED */
  position(position: PositionPayload): Promise<void>
  /** Sent at each connection and when it changes; retained. */
  setStatus(status: Omit<StatusPayload, 'state'>): void
  /** Cuts the connection as a lost link would. It comes back by itself. */
  drop(): void
  /** `isLost`: without a word, as a device that loses power. */
  close(how?: { readonly isLost?: boolean }): Promise<void>
}

/** Only the way for records, for a delivery that needs no more. @throws as `openMqttAgent` */
export function createMqttClient(settings: MqttAgentSettings): RecordClient {
  const agent = openMqttAgent(settings)
  const close = (): Promise<void> => agent.close()
  return { submit: (request) => agent.records.submit(request), close, [Symbol.asyncDispose]: close }
}

/** @throws BackfeedError ERR_AUTH_EXPIRED, CREDENTIALS_UNREADABLE, CONFIG_INVALID. A broker that cannot be reached is tried until it can. */
export function openMqttAgent(settings: MqttAgentSettings): MqttAgent {
  const { address, broker, log, now = Date.now, onError, software } = settings
  if (!EVSE_NAME.test(address.evse)) {
    throw new BackfeedError('CONFIG_INVALID', `${address.evse} is no name of an EVSE`, { exitCode: ExitCode.usage })
  }
  const topic = (channel: Parameters<typeof topicOf>[1]): string => topicOf(address, channel)
  const runner = settings.controls && new CommandRunner({ evse: address.evse, controls: settings.controls, now })
  let status: Omit<StatusPayload, 'state'> = software === undefined ? {} : { software }
  let seq = 0
  const closing = new AbortController()

  const records = new MqttRecords({
    lane: address.lane,
    receipts: settings.receipts,
    retry: settings.retry,
    timeoutMs: settings.timeoutMs ?? 10_000,
    publish: (payload) => link.publish(topic('records'), payload, { qos: settings.recordsQos ?? 2 }),
    whenUp: (timeoutMs, signal) => link.whenUp(timeoutMs, signal),
    closing: closing.signal,
  })

  const send = (channel: 'status' | 'commands/answers', payload: object, retain = false): void => {
    link.publish(topic(channel), encodePayload(payload), { qos: 1, retain }).catch((error: unknown) => {
      log.warn({ err: error, evse: address.evse }, `${channel} was not sent`)
    })
  }
  const sendStatus = (): void => send('status', { state: 'online', ...status } satisfies StatusPayload, true)

  const takeCommand = (payload: Buffer): void => {
    const parsed = parsePayload(commandSchema, payload, MAX_CONTROL_BYTES)
    if (!parsed.ok) {
      log.warn({ evse: address.evse }, `a command that is none: ${parsed.why}`)
      return
    }
    const { id } = parsed.value
    const deaf: CommandAnswerPayload = { id, answer: 'REJECTED', reason: 'this EVSE takes no commands' }
    void (runner?.run(parsed.value) ?? Promise.resolve(deaf)).then((answer) => send('commands/answers', answer))
  }

  const takeReceipts = (payload: Buffer): void => {
    const parsed = parsePayload(receiptsSchema, payload, MAX_RECEIPTS_BYTES)
    if (!parsed.ok) {
      log.warn({ evse: address.evse }, `receipts that cannot be read: ${parsed.why}`)
      return
    }
    for (const answer of parsed.value.answers) records.takeAnswer(answer)
  }

  const takeError = (payload: Buffer): void => {
    const parsed = parsePayload(errorSchema, payload, MAX_CONTROL_BYTES)
    if (!parsed.ok) {
      log.warn({ evse: address.evse }, `an error that cannot be read: ${parsed.why}`)
      return
    }
    const { code, message, channel } = parsed.value
    log.warn({ evse: address.evse, code, channel }, `the gateway refuses a message: ${message}`)
    onError?.(parsed.value)
    records.takeError(parsed.value)
  }

  const link: BrokerLink = openBrokerLink({
    config: broker,
    clientId: `evse-${address.lane}-${address.evse}`,
    sessionSeconds: SESSION_SECONDS,
    subscriptions: { [topic('receipts')]: 1, [topic('commands')]: 1, [topic('errors')]: 1 },
    will: { topic: topic('status'), payload: encodePayload({ state: 'offline' } satisfies StatusPayload) },
    // Records under way, and a few words beside them.
    maxWaiting: MAX_SUBMITS * 2 + 16,
    onMessage: (name, payload) => {
      const channel = parseTopic(name)?.channel
      if (channel === 'receipts') takeReceipts(payload)
      else if (channel === 'commands') takeCommand(payload)
      else if (channel === 'errors') takeError(payload)
    },
    onUp: sendStatus,
    now,
    log,
  })

  const close = async ({ isLost = false } = {}): Promise<void> => {
    closing.abort(new SubmitError('NO_ANSWER', 'the client was closed'))
    if (link.isUp && !isLost) {
      const goodbye = link.publish(topic('status'), encodePayload({ state: 'offline', ...status }), {
        qos: 1,
        retain: true,
      })
      // A broker that does not answer sends the last will in our place.
      await Promise.race([goodbye.catch(() => {}), new Promise((resolve) => setTimeout(resolve, 1_000).unref())])
    }
    await link.close({ isLost })
  }
  return {
    records: { submit: (request) => records.submit(request), close, [Symbol.asyncDispose]: () => close() },
    get isUp() {
      return link.isUp
    },
    get fault() {
      return link.fault
    },
    whenUp: (timeoutMs, signal) => link.whenUp(timeoutMs, signal),
    telemetry: (sample) => {
      const payload = encodePayload({ ...sample, seq } satisfies TelemetryPayload)
      seq = (seq + 1) >>> 0
      return link.publishLive(topic('telemetry'), payload)
    },
    position: (position) => link.publish(topic('position'), encodePayload(position), { qos: 1 }),
    setStatus: (fresh) => {
      status = { ...(software !== undefined && { software }), ...fresh }
      if (link.isUp) sendStatus()
    },
    drop: () => link.drop(),
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}
