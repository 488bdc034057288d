import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient, type Packet, Store } from 'mqtt'
import { BackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { BrokerConfig } from './config.ts'
import { readCredentials } from './credentials.ts'
import {
  FIRST_RECONNECT_MS,
  GOOD_CONNECTION_MS,
  MAX_IN_FLIGHT,
  MAX_RECONNECT_MS,
  MAX_TELEMETRY_BACKLOG_BYTES,
} from './limits.ts'
import { linkFault } from './linkFault.ts'
import { RivalWatch } from './rivalWatch.ts'

export interface BrokerLinkSettings {
  readonly config: BrokerConfig
  readonly clientId: string
  /** Seconds that the broker keeps the session, and what comes for it, while we are away. 0: none is kept. */
  readonly sessionSeconds: number
  readonly subscriptions: Readonly<Record<string, 0 | 1 | 2>>
  readonly will?: { readonly topic: string; readonly payload: Buffer } | undefined
  /**
   * A message with QoS 1 or 2 is acknowledged to the broker (PUBACK, PUBREC) when this has resolved, and never when it rejects: the
   * connection is then dropped, and the broker keeps the message. One after another, so that a slow owner holds the broker back.
   */
  readonly onMessage: (topic: string, payload: Buffer) => void | Promise<void>
  /** Connected and subscribed. */
  readonly onUp?: () => void
  readonly onDown?: () => void
  /** Publishes with QoS above 0 that may wait for the broker, those under way included. */
  readonly maxWaiting: number
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly now: () => number
  readonly log: Logger
}

export interface PublishOptions {
  readonly qos: 1 | 2
  readonly retain?: boolean
  /** MQTT 5: the broker throws it away when it could not be delivered in this time. */
  readonly expirySeconds?: number
}

interface WaitingPublish {
  readonly topic: string
  readonly payload: Buffer
  readonly options: PublishOptions
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** 3.1.1 brokers answer MQTT 5 with return code 1, newer ones with reason 132. */
const OTHER_VERSION: readonly unknown[] = [1, 132]

/** @throws BackfeedError ERR_AUTH_EXPIRED, CREDENTIALS_UNREADABLE, CONFIG_INVALID. A broker that cannot be reached is tried until it can. */
export function openBrokerLink(settings: BrokerLinkSettings): BrokerLink {
  return new BrokerLink(settings)
}

/** One connection to a broker that comes back by itself. */
export class BrokerLink {
  readonly #settings: BrokerLinkSettings
  readonly #client: MqttClient
  readonly #waiting: WaitingPublish[] = []
  readonly #upListeners = new Set<() => void>()
  readonly #rivals: RivalWatch
  #inFlight = 0
  #isUp = false
  #isClosed = false
  /** We cut it ourselves. */
  #isDropped = false
  /** Counts connections and their ends. */
  #connection = 0
  #periodMs = FIRST_RECONNECT_MS
  #goodTimer: NodeJS.Timeout | undefined
  #fault: BackfeedError | undefined
  /** The message in the owner's hands. */
  #taking: Promise<void> = Promise.resolve()
  #expiresAtMs: number | undefined

  constructor(settings: BrokerLinkSettings) {
    this.#settings = settings
    this.#rivals = new RivalWatch({ clientId: settings.clientId, monotonicMs: () => performance.now() })
    this.#client = mqtt.connect(settings.config.url, this.#options())
    // mqtt.js takes this option with MQTT 5 only, and asks for it with every version.
    this.#client.options.customHandleAcks = (topic, message, _packet, done) => this.#take(topic, message, done)
    this.#client.on('message', (topic, payload, packet) => this.#takeUnacknowledged(topic, payload, packet))
    this.#client.on('connect', () => this.#connected())
    this.#client.on('disconnect', ({ reasonCode }) => this.#disconnected(reasonCode))
    this.#client.on('close', () => this.#closed())
    this.#client.on('reconnect', () => this.#renewCredentials())
    this.#client.on('error', (error) => this.#failed(error))
  }

  /** Connected and subscribed. */
  get isUp(): boolean {
    return this.#isUp
  }

  get protocol(): '5' | '3.1.1' {
    return this.#client.options.protocolVersion === 5 ? '5' : '3.1.1'
  }

  /** Why it is not up, or what was last wrong; while it is up: why it will not stay so. */
  get fault(): BackfeedError | undefined {
    return this.#rivals.problem ?? this.#fault
  }

  /** End of the client certificate. */
  get expiresAtMs(): number | undefined {
    return this.#expiresAtMs
  }

  /** Publishes that the broker has not acknowledged. */
  get waiting(): number {
    return this.#inFlight + this.#waiting.length
  }

  /** Resolves when it is up; false after `timeoutMs`, or when closed. */
  async whenUp(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#isUp || this.#isClosed) return this.#isUp
    return await new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', settle)
        this.#upListeners.delete(settle)
        resolve(this.#isUp)
      }
      const timer = setTimeout(settle, timeoutMs)
      signal?.addEventListener('abort', settle, { once: true })
      this.#upListeners.add(settle)
    })
  }

  /**
   * Resolves when the broker has it, across reconnections; that is no word of who it is for, nor of the broker's access rules.
   * @throws BackfeedError MQTT_QUEUE_FULL (retryable), MQTT_REFUSED, BROKER_UNREACHABLE when closed
   */
  publish(topic: string, payload: Buffer, options: PublishOptions): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedFault(this.#settings.config.url))
    if (this.waiting >= this.#settings.maxWaiting) {
      const message = `${this.waiting} messages wait for the broker already`
      return Promise.reject(new BackfeedError('MQTT_QUEUE_FULL', message, { retryable: true }))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, payload, options, resolve, reject })
      this.#sendWaiting()
    })
  }

  /** QoS 0: now or never. False when there is no connection, or it is backed up. */
  publishLive(topic: string, payload: Buffer): boolean {
    if (!this.#isUp) return false
    const { writableLength } = this.#client.stream as { writableLength?: number }
    if ((writableLength ?? 0) > MAX_TELEMETRY_BACKLOG_BYTES) return false
    this.#client.publish(topic, payload, { qos: 0 })
    return true
  }

  /** Cuts the connection as a lost link would: the broker sends the last will. It comes back by itself. */
  drop(): void {
    this.#isDropped = true
    this.#client.stream.destroy()
  }

  /** Says goodbye, so that no last will is sent, or leaves without a word (`isLost`). Waits for the message that is being taken; what waits is rejected. */
  async close({ isLost = false } = {}): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#goodTimer)
    for (const listener of [...this.#upListeners]) listener()
    // A broker that owes acknowledgements may owe them for ever.
    const isForced = isLost || !this.#client.connected || this.#inFlight > 0
    await new Promise<void>((resolve) => this.#client.end(isForced, () => resolve()))
    this.#isUp = false
    await this.#taking
    for (const { reject } of this.#waiting.splice(0)) reject(closedFault(this.#settings.config.url))
  }

  #options(): IClientOptions {
    const { config, clientId, sessionSeconds, subscriptions, will, now } = this.#settings
    const { expiresAtMs, ...credentials } = readCredentials(config, now())
    this.#expiresAtMs = expiresAtMs
    const isNew = config.protocol !== '3.1.1'
    // mosquitto 2.0 does not keep to it with QoS 2, and mqtt.js then drops the connection. What is not read yet waits in the socket anyway.
    const isExactlyOnce = Object.values(subscriptions).includes(2)
    const receiveMaximum = isExactlyOnce ? {} : { receiveMaximum: MAX_IN_FLIGHT }
    return {
      ...credentials,
      clientId,
      clean: sessionSeconds === 0,
      keepalive: config.keepaliveSeconds,
      // Unless it says so, TLS would take any certificate.
      rejectUnauthorized: true,
      reconnectPeriod: jittered(FIRST_RECONNECT_MS),
      reconnectOnConnackError: true,
      connectTimeout: 10_000,
      resubscribe: false,
      queueQoSZero: false,
      // By default stores are taken apart at the end, and what the broker said last then throws.
      incomingStore: new TakenStore({ clean: false }),
      outgoingStore: new Store({ clean: false }),
      protocolVersion: isNew ? 5 : 4,
      ...(will && { will: { topic: will.topic, payload: will.payload, qos: 1, retain: true } }),
      ...(isNew && { properties: { sessionExpiryInterval: sessionSeconds, ...receiveMaximum } }),
    }
  }

  #connected(): void {
    const connection = ++this.#connection
    this.#isDropped = false
    const { subscriptions, onUp, log } = this.#settings
    // Small messages must not wait for acknowledgements of the ones before (Nagle): a peer may take 40 ms for those.
    const stream = this.#client.stream as { setNoDelay?: (isOn: boolean) => void }
    stream.setNoDelay?.(true)
    this.#goodTimer = setTimeout(() => this.#setPeriod(FIRST_RECONNECT_MS), GOOD_CONNECTION_MS)
    const up = (): void => {
      if (connection !== this.#connection || this.#isClosed) return
      this.#isUp = true
      this.#fault = undefined
      this.#rivals.stood()
      log.info({ protocol: this.protocol }, 'connected to the broker')
      this.#sendWaiting()
      for (const listener of [...this.#upListeners]) listener()
      onUp?.()
    }
    if (Object.keys(subscriptions).length === 0) {
      up()
      return
    }
    const wanted = Object.fromEntries(Object.entries(subscriptions).map(([filter, qos]) => [filter, { qos }]))
    this.#client.subscribe(wanted, (error, granted) => {
      const refused = granted?.find(({ qos }) => qos === 128)
      if (error === null && refused === undefined) return up()
      if (connection !== this.#connection || this.#isClosed) return
      const what = refused?.topic ?? Object.keys(subscriptions).join(', ')
      this.#failed(
        new BackfeedError('MQTT_REFUSED', `the broker refuses the subscription to ${what}`, {
          retryable: true,
          cause: error ?? undefined,
        }),
      )
      this.drop()
    })
  }

  #disconnected(reasonCode: number | undefined): void {
    this.#telling(() => this.#rivals.disconnected(reasonCode))
  }

  #closed(): void {
    const wasUp = this.#isUp
    this.#isUp = false
    this.#connection++
    clearTimeout(this.#goodTimer)
    // This wait has begun already: the next one doubles.
    this.#setPeriod(Math.min(this.#periodMs * 2, MAX_RECONNECT_MS))
    if (!wasUp || this.#isClosed) return
    if (!this.#isDropped) this.#telling(() => this.#rivals.cut())
    this.#fault ??= linkFault(new Error('the connection was lost'), this.#settings.config.url)
    this.#settings.log.warn('the connection to the broker was lost')
    this.#settings.onDown?.()
  }

  /** Logs what comes to light by `see`, once for as long as it is shown. */
  #telling(see: () => void): void {
    const before = this.#rivals.problem?.code
    see()
    const { problem } = this.#rivals
    if (problem !== undefined && problem.code !== before) this.#settings.log.warn({ err: problem }, problem.message)
  }

  #setPeriod(ms: number): void {
    this.#periodMs = ms
    this.#client.options.reconnectPeriod = jittered(ms)
  }

  #renewCredentials(): void {
    try {
      const { expiresAtMs, ...credentials } = readCredentials(this.#settings.config, this.#settings.now())
      this.#expiresAtMs = expiresAtMs
      Object.assign(this.#client.options, credentials)
    } catch (error) {
      this.#failed(error as Error) // with the old ones, then: the broker will say
    }
  }

  #failed(error: Error): void {
    if (error instanceof StaleAcknowledgement || this.#isClosed) return
    const { config, log } = this.#settings
    const code: unknown = (error as { code?: unknown }).code
    if (config.protocol === 'auto' && this.protocol === '5' && OTHER_VERSION.includes(code)) {
      this.#client.options.protocolVersion = 4
      delete this.#client.options.properties
      this.#client.options.reconnectPeriod = 1
      log.info('the broker does not speak MQTT 5: going on with 3.1.1')
      return
    }
    const fault = linkFault(error, config.url)
    if (fault.code !== this.#fault?.code) log.warn({ err: fault }, fault.message)
    this.#fault = fault
  }

  #take(topic: string, payload: Buffer, done: (error: Error | number, code?: number) => void): void {
    if (this.#isClosed) {
      done(new StaleAcknowledgement())
      return
    }
    const { stream } = this.#client
    // The same message id may be another message's on the next connection, or nobody's: a broker that has lost the session cuts who acknowledges
    // it. What mqtt.js is told to acknowledge while there is no connection it sends on the next.
    const isItsOwn = (): boolean => this.#client.connected && stream === this.#client.stream && !this.#isClosed
    const acknowledge = (): void => done(isItsOwn() ? 0 : new StaleAcknowledgement())
    let taken: void | Promise<void>
    try {
      taken = this.#settings.onMessage(topic, payload)
    } catch (error) {
      taken = Promise.reject(error)
    }
    if (taken === undefined) {
      acknowledge()
      return
    }
    this.#taking = taken.then(acknowledge, (error: unknown) => {
      if (this.#isClosed) {
        done(new StaleAcknowledgement())
        return
      }
      this.#settings.log.error({ err: error, topic }, 'a message could not be taken: the broker keeps it')
      if (isItsOwn()) this.drop()
      done(new StaleAcknowledgement())
    })
  }

  #takeUnacknowledged(topic: string, payload: Buffer, { qos }: IPublishPacket): void {
    if (qos !== 0) return
    const failed = (error: unknown): void => {
      this.#settings.log.error({ err: error, topic }, 'a message without acknowledgement could not be taken')
    }
    try {
      void Promise.resolve(this.#settings.onMessage(topic, payload)).catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  #sendWaiting(): void {
    const allowed = this.#client.connected ? (this.#client.serverProperties?.receiveMaximum ?? MAX_IN_FLIGHT) : 0
    const window = Math.min(allowed, MAX_IN_FLIGHT)
    while (this.#isUp && this.#inFlight < window && this.#waiting.length > 0) this.#send(this.#waiting.shift()!)
  }

  #send({ topic, payload, options, resolve, reject }: WaitingPublish): void {
    const { qos, retain = false, expirySeconds } = options
    const isExpiring = expirySeconds !== undefined && this.protocol === '5'
    this.#inFlight++
    this.#client.publish(
      topic,
      payload,
      { qos, retain, ...(isExpiring && { properties: { messageExpiryInterval: expirySeconds } }) },
      (error) => {
        this.#inFlight--
        if (error === undefined || error === null) resolve()
        else if (this.#isClosed) reject(closedFault(this.#settings.config.url))
        else reject(new BackfeedError('MQTT_REFUSED', `the broker refuses ${topic}`, { cause: error, retryable: true }))
        this.#sendWaiting()
      },
    )
  }
}

/** QoS 2 messages between PUBREC and PUBREL: taken already, so that only their ids are needed. */
class TakenStore extends Store {
  override put(packet: Packet, done: (error?: Error) => void): this {
    return super.put(packet.cmd === 'publish' ? { ...packet, payload: '' } : packet, done)
  }
}

/** Ends the handling of a message without an acknowledgement. */
class StaleAcknowledgement extends Error {
  override readonly name = 'StaleAcknowledgement'
}

function closedFault(url: string): BackfeedError {
  return new BackfeedError('BROKER_UNREACHABLE', `the connection to ${url} was closed`, { retryable: true })
}

/** Half to one and a half times: a fleet that lost its broker does not come back in one moment. */
function jittered(ms: number): number {
  return Math.round(ms * (0.5 + Math.random()))
}
