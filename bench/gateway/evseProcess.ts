import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type MqttClient } from 'mqtt'
import { type MqttAgent, openMqttAgent } from '../../evse/mqtt/mqttAgent.ts'
import { silentLogger } from '../../runtime/log.ts'
import { ECHO_TOPIC, ECHOED_TOPIC, sendAtOnce } from './bareProcess.ts'
import { serveCalls } from '../helperProcess.ts'

// EVSEs that send telemetry many times a second and obey commands, each with a connection of its own to the broker.

export interface EvsesTarget {
  readonly brokerUrl: string
  readonly lane: number
  readonly names: readonly string[]
  readonly telemetryHz: number
}

/** What is tried: telemetry that stops, or a temperature over the limit. */
export type Trial = 'stale' | 'hot'

/** How a trial ended. One that did not flow before it was no trial: its guard paused or stopped it for something else. */
export type TrialEnd =
  | { readonly kind: 'paused'; readonly tookMs: number; readonly flowsAgain: boolean }
  | { readonly kind: 'noPause' | 'notFlowing' }

const isYes = (): boolean => true
const isNo = (): boolean => false

const WANTED_W = 6_000
const NORMAL_C = 31
/** Over the limit of 45 °C. */
const HOT_C = 55
/** A command that does not come by then never comes. */
const COMMAND_TIMEOUT_MS = 15_000

class Evse {
  readonly #agent: MqttAgent
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #limitW = 0
  #tempC = NORMAL_C
  #waiting: { readonly holds: (watts: number) => boolean; readonly resolve: (atMs: number) => void } | undefined
  /** Of the stop that it got: its guard lets it rest for a quarter of an hour. */
  stopReason: string | undefined
  sent = 0
  lastSentMs = 0

  constructor({ brokerUrl: url, lane, telemetryHz }: EvsesTarget, name: string) {
    this.#everyMs = 1_000 / telemetryHz
    this.#agent = openMqttAgent({
      broker: { url, username: name, protocol: 'auto', keepaliveSeconds: 60 },
      address: { lane, evse: name },
      receipts: 'unchecked',
      controls: {
        setLimit: async (_evse, watts) => {
          this.#take(watts)
          return 'ACCEPTED'
        },
        stop: async (_evse, reason) => {
          this.stopReason = reason
          this.#take(0)
          return 'ACCEPTED'
        },
      },
      log: silentLogger(),
    })
  }

  async whenUp(): Promise<void> {
    if (!(await this.#agent.whenUp(60_000))) throw new Error('the broker did not let an EVSE in')
  }

  /** The phase is drawn, so that a fleet does not send all at once. */
  async begin(): Promise<void> {
    await sleep(Math.random() * this.#everyMs)
    this.#timer = setInterval(() => this.#send(), this.#everyMs)
  }

  /** Resolves when it may discharge. */
  async flowing(): Promise<void> {
    if (this.#limitW <= 0) await this.#until((watts) => watts > 0)
  }

  /** From the last word of the EVSE to the command that pauses it; then it flows again before this resolves. */
  async try(trial: Trial): Promise<TrialEnd> {
    if (!(await this.flowing().then(isYes, isNo))) return { kind: 'notFlowing' }
    const paused = this.#until((watts) => watts === 0)
    if (trial === 'stale') clearInterval(this.#timer)
    else this.#tempC = HOT_C
    if (trial === 'hot') this.#send()
    const fromMs = this.lastSentMs
    const pausedMs = await paused.catch(() => undefined)
    this.#tempC = NORMAL_C
    if (trial === 'stale') await this.begin()
    if (pausedMs === undefined) return { kind: 'noPause' }
    const flowsAgain = await this.flowing().then(isYes, isNo)
    return { kind: 'paused', tookMs: pausedMs - fromMs, flowsAgain }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#agent.close()
  }

  #send(): void {
    const powerW = Math.min(WANTED_W, this.#limitW)
    this.sent++
    this.lastSentMs = performance.now()
    this.#agent.telemetry({
      atMs: Date.now(),
      powerW,
      tempC: this.#tempC,
      gridVoltageV: 230,
      gridFrequencyHz: 50,
      plcSnrDb: 24,
      contactorClosed: true,
    })
  }

  #take(watts: number): void {
    this.#limitW = watts
    if (this.#waiting?.holds(watts) !== true) return
    this.#waiting.resolve(performance.now())
    this.#waiting = undefined
  }

  #until(holds: (watts: number) => boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no command came')), COMMAND_TIMEOUT_MS)
      const settle = (atMs: number): void => {
        clearTimeout(timer)
        resolve(atMs)
      }
      this.#waiting = { holds, resolve: settle }
    })
  }
}

let evses: Evse[] = []
let echo: MqttClient | undefined

/** Milliseconds there and back through the broker, and through a client that does nothing but send back. */
async function echoMs(client: MqttClient): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>()
  client.once('message', () => resolve())
  const fromMs = performance.now()
  client.publish(ECHO_TOPIC, 'x', { qos: 0 })
  await promise
  return performance.now() - fromMs
}

const calls = {
  async open(target: EvsesTarget): Promise<void> {
    echo = await mqtt.connectAsync(target.brokerUrl, { protocolVersion: 4, username: 'prober' })
    sendAtOnce(echo)
    await echo.subscribeAsync(ECHOED_TOPIC, { qos: 1 })
    evses = target.names.map((name) => new Evse(target, name))
    await Promise.all(evses.map((evse) => evse.whenUp()))
  },

  /** Telemetry from now on; resolves when all may discharge. */
  async begin(): Promise<void> {
    await Promise.all(evses.map(async (evse) => await evse.begin()))
    await Promise.allSettled(evses.map((evse) => evse.flowing()))
  },

  /** Telemetry messages so far. */
  async sent(): Promise<number> {
    return evses.reduce((sum, evse) => sum + evse.sent, 0)
  },

  /** One EVSE after another, one every `everyMs`, and an echo beside each, milliseconds. */
  async probe(trial: Trial, trials: number, everyMs: number): Promise<{ ends: TrialEnd[]; echoMs: number[] }> {
    const under: Promise<TrialEnd>[] = []
    const echoes: number[] = []
    for (let i = 0; i < trials; i++) {
      under.push(evses[i % evses.length]!.try(trial))
      const beganMs = performance.now()
      echoes.push(await echoMs(echo!))
      await sleep(Math.max(0, everyMs - (performance.now() - beganMs)))
      // The same EVSE again only when it is done.
      if (i >= evses.length - 1) await under[i - evses.length + 1]
    }
    return { ends: await Promise.all(under), echoMs: echoes }
  },

  /** Why EVSEs were stopped, which none should be. */
  async stops(): Promise<string[]> {
    return evses.flatMap(({ stopReason }) => stopReason ?? [])
  },

  async close(): Promise<void> {
    await Promise.all(evses.map((evse) => evse.close()))
    await echo?.endAsync()
  },
}
export type EvseCalls = typeof calls

if (import.meta.main) serveCalls(calls)
