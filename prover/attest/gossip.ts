import { type GossipSub, gossipsub, StrictNoSign, TopicValidatorResult } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Connection, MultiaddrConnection, PeerId } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { describeError } from '../../runtime/errors.ts'
import { HostConnections, hostKey } from '../../runtime/hostConnections.ts'
import type { Logger } from '../../runtime/log.ts'
import { loadPeerIdentity } from '../../runtime/peerIdentity.ts'
import type { Component } from '../../runtime/service.ts'
import { PeerConduct } from './peerConduct.ts'
import { VOTE_BYTES } from './vote.ts'
import type { Verdict } from './voteBook.ts'

export interface GossipSettings {
  /** Votes of one deployment. */
  readonly topic: string
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  /** Multiaddrs with peer ids, kept connected. */
  readonly peers: readonly string[]
  readonly keyFile: string
  /** Between looks at which peers are missing or misbehave, milliseconds. */
  readonly tendMs: number
  readonly log: Logger
  /** What becomes of a message; must not throw. */
  onMessage(data: Uint8Array): Verdict
}

const MAX_CONNECTIONS = 96
const MAX_HOST_CONNECTIONS = 16
const MAX_PENDING_CONNECTIONS = 16
/** libp2p's default of 5 locks attesters of one host out when they start together. */
const CONNECTIONS_PER_SECOND = 16
const STREAM_WINDOW_BYTES = 262_144
/** A vote and its frame, many times over; a peer that does not read is cut off. */
const MAX_OUTBOUND_BYTES = 1_048_576
const MAX_STREAMS = 4
/** Below this gossipsub no longer listens to a peer; being connected, it would still cost us. */
const GRAYLIST_SCORE = -80

/** Attesters' meeting place: gossipsub over TCP, Noise and yamux, in one topic. */
export class Gossip implements Component {
  readonly name = 'attestGossip'
  readonly #settings: GossipSettings
  readonly #conduct = new PeerConduct()
  readonly #hosts = new HostConnections(MAX_HOST_CONNECTIONS)
  #node: Libp2p<{ pubsub: GossipSub; identify: unknown }> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(settings: GossipSettings) {
    this.#settings = settings
  }

  get multiaddrs(): readonly string[] {
    return this.#node?.getMultiaddrs().map(String) ?? []
  }

  /** That hear us. */
  get peerCount(): number {
    return this.#node?.services.pubsub.getSubscribers(this.#settings.topic).length ?? 0
  }

  get deniedCount(): number {
    return this.#conduct.deniedCount
  }

  async start(): Promise<void> {
    const settings = this.#settings
    const node = await createLibp2p({
      privateKey: await loadPeerIdentity(settings.keyFile),
      addresses: { listen: [...settings.listen], announce: [...settings.announce] },
      transports: [tcp({ maxConnections: MAX_CONNECTIONS + MAX_PENDING_CONNECTIONS })],
      connectionEncrypters: [noise()],
      streamMuxers: [
        yamux({
          maxInboundStreams: 2 * MAX_STREAMS,
          maxOutboundStreams: 2 * MAX_STREAMS,
          streamOptions: { initialStreamWindowSize: STREAM_WINDOW_BYTES, maxStreamWindowSize: STREAM_WINDOW_BYTES },
        }),
      ],
      connectionManager: {
        maxConnections: MAX_CONNECTIONS,
        inboundConnectionThreshold: CONNECTIONS_PER_SECOND,
        maxIncomingPendingConnections: MAX_PENDING_CONNECTIONS,
      },
      connectionMonitor: { enabled: false },
      connectionGater: {
        // Attesters may well share a private network.
        denyDialMultiaddr: () => false,
        denyDialPeer: (peer) => this.#conduct.isDenied(peer.toString()),
        denyInboundConnection: (connection) => !this.#admit(connection),
        denyInboundEncryptedConnection: (peer) => this.#conduct.isDenied(peer.toString()),
        denyOutboundEncryptedConnection: (peer) => this.#conduct.isDenied(peer.toString()),
      },
      services: { identify: identify(), pubsub: gossipsub(gossipOptions(settings.topic)) },
    })
    this.#node = node as unknown as Libp2p<{ pubsub: GossipSub; identify: unknown }>
    const { pubsub } = this.#node.services
    pubsub.topicValidators.set(settings.topic, (peer, message) => this.#judge(peer, message.data))
    pubsub.subscribe(settings.topic)
    settings.log.info({ peerId: node.peerId.toString(), multiaddrs: this.multiaddrs }, 'attesters’ gossip listens')
    await this.#tend()
    this.#timer = setInterval(() => void this.#tend(), settings.tendMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#node?.stop()
  }

  /** To whoever listens; nobody doing so is no fault. */
  async publish(data: Uint8Array): Promise<void> {
    try {
      await this.#node?.services.pubsub.publish(this.#settings.topic, data)
    } catch (error) {
      this.#settings.log.debug({ err: error }, `telling a vote: ${describeError(error)}`)
    }
  }

  #judge(peer: PeerId, data: Uint8Array): TopicValidatorResult {
    const verdict = this.#settings.onMessage(data)
    const id = peer.toString()
    if (this.#conduct.note(id, verdict, performance.now()) === 'deny') this.#cutOff(peer, 'it passes on garbage')
    switch (verdict) {
      case 'accept':
        return TopicValidatorResult.Accept
      case 'ignore':
        return TopicValidatorResult.Ignore
      case 'reject':
        return TopicValidatorResult.Reject
      default:
        throw new Error(`unknown verdict ${verdict satisfies never}`)
    }
  }

  #cutOff(peer: PeerId, why: string): void {
    this.#conduct.deny(peer.toString())
    this.#settings.log.warn({ peer: peer.toString() }, `a peer is cut off: ${why}`)
    void this.#node?.hangUp(peer).catch(() => {})
  }

  #admit(connection: MultiaddrConnection): boolean {
    const host = hostKey(connection.remoteAddr.getComponents()[0]?.value ?? '')
    if (!this.#hosts.tryOpen(host)) return false
    connection.addEventListener('close', () => this.#hosts.close(host), { once: true })
    return true
  }

  /** Peers that fell out are dialled again; those that gossipsub has graylisted are closed, which it does not do itself. */
  async #tend(): Promise<void> {
    const node = this.#node
    if (node === undefined) return
    for (const peer of node.getPeers()) {
      if (scoreOf(node.services.pubsub, peer) <= GRAYLIST_SCORE) this.#cutOff(peer, 'its score fell below the graylist')
    }
    const missing = this.#settings.peers.filter((text) => !isConnected(node.getConnections(), text))
    const dials = missing.map((text) => node.dial(multiaddr(text), { signal: AbortSignal.timeout(5_000) }))
    for (const dial of await Promise.allSettled(dials)) {
      if (dial.status === 'rejected') this.#settings.log.debug({ err: dial.reason }, 'a peer does not answer')
    }
  }
}

function gossipOptions(topic: string): Parameters<typeof gossipsub>[0] {
  return {
    globalSignaturePolicy: StrictNoSign, // a vote carries a signature of its own, and who passed it on is known by the connection
    allowedTopics: [topic],
    doPX: false,
    emitSelf: false,
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    floodPublish: true,
    awaitRpcHandler: true, // back-pressure: a peer's next frame is read when its last is judged
    awaitRpcMessageHandler: true,
    maxInboundDataLength: 8 * VOTE_BYTES,
    maxOutboundBufferSize: MAX_OUTBOUND_BYTES,
    maxInboundStreams: MAX_STREAMS,
    maxOutboundStreams: MAX_STREAMS,
    maxTopicBytesPerPeer: 4_096,
    decodeRpcLimits: {
      maxSubscriptions: 4,
      maxMessages: 512,
      maxIhaveMessageIDs: 512,
      maxIwantMessageIDs: 512,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 16,
      maxPeerInfos: 0,
    },
    scoreParams: {
      IPColocationFactorThreshold: MAX_HOST_CONNECTIONS,
      topics: {
        [topic]: {
          topicWeight: 1,
          timeInMeshWeight: 0.01,
          timeInMeshQuantum: 1_000,
          timeInMeshCap: 100,
          firstMessageDeliveriesWeight: 1,
          firstMessageDeliveriesDecay: 0.9,
          firstMessageDeliveriesCap: 20,
          // Votes come in bursts, minutes apart: silence is no offence.
          meshMessageDeliveriesWeight: 0,
          meshMessageDeliveriesDecay: 0.5,
          meshMessageDeliveriesCap: 100,
          meshMessageDeliveriesThreshold: 1,
          meshMessageDeliveriesWindow: 10,
          meshMessageDeliveriesActivation: 5_000,
          meshFailurePenaltyWeight: 0,
          meshFailurePenaltyDecay: 0.5,
          invalidMessageDeliveriesWeight: -20,
          invalidMessageDeliveriesDecay: 0.99,
        },
      },
    },
    scoreThresholds: { graylistThreshold: GRAYLIST_SCORE },
  }
}

/** gossipsub keeps scores to itself; its class shows them, its interface does not. */
function scoreOf(pubsub: GossipSub, peer: PeerId): number {
  const scored = pubsub as GossipSub & { getScore?: (id: string) => number }
  return scored.getScore?.(peer.toString()) ?? 0
}

function isConnected(connections: readonly Connection[], text: string): boolean {
  return connections.some(({ remotePeer }) => text.endsWith(`/p2p/${remotePeer.toString()}`))
}
