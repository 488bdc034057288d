import { BlockList, isIPv6 } from 'node:net'
import type { Connection, MultiaddrConnection, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { RECORDS_PROTOCOL } from '../../protocol/wire.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { HostConnections, hostKey } from '../../runtime/hostConnections.ts'
import {
  LIBP2P_CONNECTIONS_PER_SECOND,
  LIBP2P_FRAME_TIMEOUT_MS,
  LIBP2P_MAX_CONNECTIONS,
  LIBP2P_MAX_HOST_CONNECTIONS,
  LIBP2P_MAX_PENDING_CONNECTIONS,
  LIBP2P_MAX_STREAM_REQUESTS,
  LIBP2P_MAX_STREAMS,
  LIBP2P_MAX_WRITE_BUFFER_BYTES,
  LIBP2P_WINDOW_BYTES,
} from '../limits.ts'
import type { Intake } from './intake.ts'
import { loadPeerIdentity } from '../../runtime/peerIdentity.ts'
import { noiseCrypto } from './noiseCrypto.ts'
import { RecordStream } from './recordStream.ts'

export interface Libp2pSettings {
  /** Multiaddrs, such as `/ip4/127.0.0.1/tcp/4301`; tcp/0 takes one that is free. */
  listen: readonly string[]
  /** Addresses to tell peers of, behind a NAT or load balancer. */
  announce?: readonly string[]
  /** Made on the first start. */
  keyFile: string
  intake: Intake
  log: Logger
  /** Networks of known gateways, such as `/ip4/10.1.0.0/ipcidr/16`: no limit on connections, and a share in admission for each peer. */
  allow?: readonly string[]
  /** Peer ids of known gateways: a share in admission of their own, wherever they connect from. */
  knownPeers?: readonly string[]
  limits?: Partial<Libp2pLimits>
}

export interface Libp2pLimits {
  maxConnections: number
  maxHostConnections: number
  /** New connections a second of one host. */
  connectionsPerSecond: number
  /** Requests of one stream that may wait. */
  maxStreamRequests: number
  /** From the first byte of a frame to its last. */
  frameTimeoutMs: number
}

export interface Libp2pIngress extends AsyncDisposable {
  readonly peerId: string
  /** With the peer id. */
  readonly multiaddrs: readonly string[]
  close(): Promise<void>
}

/** Serves RECORDS_PROTOCOL over TCP, Noise and yamux: one long-lived stream for an EVSE or gateway. */
export async function startLibp2pIngress(settings: Libp2pSettings): Promise<Libp2pIngress> {
  const { intake, log } = settings
  const limits: Libp2pLimits = {
    maxConnections: LIBP2P_MAX_CONNECTIONS,
    maxHostConnections: LIBP2P_MAX_HOST_CONNECTIONS,
    connectionsPerSecond: LIBP2P_CONNECTIONS_PER_SECOND,
    maxStreamRequests: LIBP2P_MAX_STREAM_REQUESTS,
    frameTimeoutMs: LIBP2P_FRAME_TIMEOUT_MS,
    ...settings.limits,
  }
  const allow = [...(settings.allow ?? [])]
  const knownPeers = new Set(settings.knownPeers ?? [])
  const allowed = allowedNetworks(allow)
  const hosts = new HostLimits(limits.maxHostConnections, allowed)
  const streams = new Set<RecordStream>()

  const node = await createLibp2p({
    privateKey: await loadPeerIdentity(settings.keyFile),
    addresses: { listen: [...settings.listen], announce: [...(settings.announce ?? [])] },
    transports: [tcp({ maxConnections: limits.maxConnections + LIBP2P_MAX_PENDING_CONNECTIONS })],
    connectionEncrypters: [noise({ crypto: noiseCrypto })],
    streamMuxers: [
      yamux({
        maxInboundStreams: LIBP2P_MAX_STREAMS + 2, // room for negotiating streams that turn out to be of another protocol
        maxOutboundStreams: 1,
        streamOptions: {
          initialStreamWindowSize: LIBP2P_WINDOW_BYTES,
          maxStreamWindowSize: LIBP2P_WINDOW_BYTES,
        },
      }),
    ],
    connectionManager: {
      maxConnections: limits.maxConnections,
      inboundConnectionThreshold: limits.connectionsPerSecond,
      maxIncomingPendingConnections: LIBP2P_MAX_PENDING_CONNECTIONS,
      allow,
    },
    connectionMonitor: { enabled: false }, // pings by a protocol of its own; TCP and yamux have keep-alives
    connectionGater: { denyInboundConnection: (connection) => !hosts.admit(connection) },
  })

  const onStream = (stream: Stream, connection: Connection): void => {
    stream.maxWriteBufferLength = LIBP2P_MAX_WRITE_BUFFER_BYTES
    const peerId = connection.remotePeer.toString()
    const address = addressOf(connection)
    const peer = knownPeers.has(peerId) || isAllowed(allowed, address) ? peerId : hostKey(address)
    const { maxStreamRequests: maxRequests, frameTimeoutMs } = limits
    const served = new RecordStream({ stream, peer, intake, log, maxRequests, frameTimeoutMs })
    streams.add(served)
    intake.metrics.streamOpened()
    stream.addEventListener('close', () => {
      if (streams.delete(served)) intake.metrics.streamClosed()
    })
  }
  await node.handle(RECORDS_PROTOCOL, onStream, { maxInboundStreams: LIBP2P_MAX_STREAMS })

  const sweep = setInterval(
    () => {
      const steadyMs = performance.now()
      for (const stream of streams) stream.checkStalled(steadyMs)
    },
    Math.min(1_000, limits.frameTimeoutMs),
  )
  sweep.unref()

  const peerId = node.peerId.toString()
  const multiaddrs = node.getMultiaddrs().map(String)
  log.info({ peerId, multiaddrs }, 'libp2p listening')
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    clearInterval(sweep)
    closing ??= Promise.resolve(node.stop())
    return closing
  }
  return { peerId, multiaddrs, close, [Symbol.asyncDispose]: close }
}

/** Bounds the connections of a host that are open at once; libp2p itself bounds only the new ones a second. */
class HostLimits {
  readonly #hosts: HostConnections
  readonly #allowed: BlockList

  constructor(limit: number, allowed: BlockList) {
    this.#hosts = new HostConnections(limit)
    this.#allowed = allowed
  }

  admit(connection: MultiaddrConnection): boolean {
    const address = addressOf(connection)
    if (isAllowed(this.#allowed, address)) return true
    const host = hostKey(address)
    if (!this.#hosts.tryOpen(host)) return false
    connection.addEventListener('close', () => this.#hosts.close(host), { once: true })
    return true
  }
}

function allowedNetworks(allow: readonly string[]): BlockList {
  const networks = new BlockList()
  for (const text of allow) {
    const [ip, cidr] = multiaddr(text).getComponents()
    if (ip?.value === undefined || (ip.name !== 'ip4' && ip.name !== 'ip6')) {
      throw new BackfeedError('CONFIG_INVALID', `${text} is no network such as /ip4/10.1.0.0/ipcidr/16`, {
        exitCode: ExitCode.usage,
      })
    }
    const family = ip.name === 'ip4' ? 'ipv4' : 'ipv6'
    if (cidr?.name === 'ipcidr') networks.addSubnet(ip.value, Number(cidr.value), family)
    else networks.addAddress(ip.value, family)
  }
  return networks
}

function isAllowed(networks: BlockList, address: string): boolean {
  return networks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

function addressOf(connection: { readonly remoteAddr: Connection['remoteAddr'] }): string {
  return connection.remoteAddr.getComponents()[0]?.value ?? ''
}
