import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import mqtt, { type MqttClient } from 'mqtt'
import { listenOnLoopback } from '../../devnet/loopback.ts'
import { createRpcServer } from '../../gateway/ocpp/rpc.ts'
import { serveCalls } from '../helperProcess.ts'

// The limit: an OCPP server with the same strict validation that answers and does nothing else, and a client of the broker that sends back
// what it gets.

export const ECHO_TOPIC = 'bench/echo'
export const ECHOED_TOPIC = 'bench/echoed'

const ANSWERS: Readonly<Record<string, () => object>> = {
  BootNotification: () => ({ currentTime: new Date().toISOString(), interval: 300, status: 'Accepted' }),
  StatusNotification: () => ({}),
  NotifyEvent: () => ({}),
  TransactionEvent: () => ({}),
}

/** As the gateway's own links do. */
export function sendAtOnce(client: MqttClient): void {
  ;(client.stream as Socket).setNoDelay(true)
}

const calls = {
  /** Resolves with the port. */
  async listen(): Promise<number> {
    const rpc = createRpcServer({
      protocols: ['ocpp2.0.1'],
      callTimeoutMs: 10_000,
      pingIntervalMs: 30_000,
      maxBadMessages: 0,
      maxMessageBytes: 262_144,
    })
    rpc.auth((accept) => accept({}, 'ocpp2.0.1'))
    rpc.on('client', (client) => {
      for (const [action, answer] of Object.entries(ANSWERS)) client.handle(action, async () => answer())
    })
    const server = createServer()
    server.on('upgrade', (request, socket, head) => void rpc.handleUpgrade(request, socket, head))
    return (await listenOnLoopback(server)).port
  },

  async echo(brokerUrl: string): Promise<void> {
    const client = await mqtt.connectAsync(brokerUrl, { protocolVersion: 4, username: 'echo' })
    sendAtOnce(client)
    client.on('message', (_topic, payload) => client.publish(ECHOED_TOPIC, payload, { qos: 1 }))
    await client.subscribeAsync(ECHO_TOPIC, { qos: 0 })
  },

  async cpuSeconds(): Promise<number> {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  },
}
export type BareCalls = typeof calls

if (import.meta.main) serveCalls(calls)
