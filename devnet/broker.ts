import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { Aedes } from 'aedes'
import { DOWNLINKS, parseTopic, TOPIC_ROOT, UPLINKS } from '../evse/mqtt/topics.ts'
import { freePort } from './freePort.ts'

export interface DevnetBrokerSettings {
  /** Default: any free one; a restart takes the same again. */
  readonly port?: number
  /** Mutual TLS: who is who says the certificate's common name. Absent: the user name, without a password. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
  /** User name of the gateway. */
  readonly gateway?: string
}

/**
 * An MQTT 3.1.1 broker on loopback, for devnets and tests, with the access rules of deploy/mosquitto. It remembers nothing: a restart loses sessions, what
 * was queued for them, and retained messages, which is the hardest case for whoever talks through it. What it refuses, it disconnects.
 */
export interface DevnetBroker extends AsyncDisposable {
  readonly port: number
  /** For a client's configuration. */
  readonly url: string
  /** Client ids that are connected. */
  readonly clients: ReadonlySet<string>
  /** Stops and starts, after `downMs`. All connections are cut. */
  restart(downMs?: number): Promise<void>
  close(): Promise<void>
}

export async function startDevnetBroker(settings: DevnetBrokerSettings = {}): Promise<DevnetBroker> {
  const clients = new Set<string>()
  const port = settings.port ?? (await freePort())
  let running = await listen(settings, port, clients)
  const stop = async (): Promise<void> => {
    for (const socket of running.sockets) socket.destroy()
    running.server.close()
    await new Promise<void>((resolve) => running.broker.close(() => resolve()))
    if (running.server.listening) await once(running.server, 'close')
    clients.clear()
  }
  return {
    port,
    url: `${settings.tls === undefined ? 'mqtt' : 'mqtts'}://127.0.0.1:${port}`,
    clients,
    restart: async (downMs = 0) => {
      await stop()
      if (downMs > 0) await new Promise((resolve) => setTimeout(resolve, downMs))
      running = await listen(settings, port, clients)
    },
    close: stop,
    [Symbol.asyncDispose]: stop,
  }
}

interface Running {
  readonly broker: Aedes
  readonly server: Server
  readonly sockets: Set<Socket>
}

async function listen(settings: DevnetBrokerSettings, port: number, clients: Set<string>): Promise<Running> {
  const { tls, gateway = 'backfeed-gateway' } = settings
  const users = new WeakMap<object, string>()
  const userOf = (client: object | null): string | undefined => (client === null ? undefined : users.get(client))
  const broker = await Aedes.createBroker({
    // A fleet's answers in one burst, and no more than a developer's machine holds.
    queueLimit: 10_000,
    authenticate: (client, username, _password, done) => {
      const user = tls === undefined ? username : commonName(client.conn as TLSSocket)
      if (user !== undefined) users.set(client, user)
      done(null, user !== undefined)
    },
    authorizePublish: (client, { topic }, done) => {
      const isAllowed = client === null || mayUse(userOf(client), topic, gateway, 'publish')
      done(isAllowed ? null : new Error(`${client?.id} may not publish to ${topic}`))
    },
    authorizeSubscribe: (client, subscription, done) => {
      done(null, mayUse(userOf(client), subscription.topic, gateway, 'subscribe') ? subscription : null)
    },
  })
  broker.on('client', ({ id }) => clients.add(id))
  broker.on('clientDisconnect', ({ id }) => clients.delete(id))
  // Clients that speak MQTT 5 first, and those that are cut off.
  broker.on('clientError', () => {})
  broker.on('connectionError', () => {})
  const sockets = new Set<Socket>()
  const onConnection = (socket: Socket): void => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.setNoDelay(true)
    broker.handle(socket)
  }
  const server =
    tls === undefined
      ? createServer(onConnection)
      : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, onConnection)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { broker, server, sockets }
}

function commonName(socket: TLSSocket): string | undefined {
  const name: unknown = socket.getPeerCertificate().subject?.CN
  return typeof name === 'string' ? name : undefined
}

/** An EVSE under its own name only; the gateway everywhere, in its direction. */
function mayUse(user: string | undefined, topic: string, gateway: string, doing: 'publish' | 'subscribe'): boolean {
  if (user === undefined) return false
  if (user === gateway) {
    const channels: readonly string[] = doing === 'publish' ? DOWNLINKS : UPLINKS
    if (doing === 'subscribe') return channels.some((channel) => topic === `${TOPIC_ROOT}/+/+/${channel}`)
    return channels.includes(parseTopic(topic)?.channel ?? '')
  }
  const parsed = parseTopic(topic)
  const channels: readonly string[] = doing === 'publish' ? UPLINKS : DOWNLINKS
  return parsed !== undefined && parsed.evse === user && channels.includes(parsed.channel)
}
