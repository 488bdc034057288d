import { type GossipSub, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

/** A node of somebody else's making: it tells whatever it is given. */
export interface GossipPeer extends AsyncDisposable {
  tell(data: Uint8Array): Promise<void>
  /** Connections that are open. */
  connected(): number
  /** Peers of which it is known that they listen to the topic. */
  hearers(): number
  dial(address: string): Promise<void>
}

export async function startGossipPeer(topic: string): Promise<GossipPeer> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: {
      identify: identify(),
      pubsub: gossipsub({
        globalSignaturePolicy: StrictNoSign,
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
        floodPublish: true,
        scoreThresholds: { graylistThreshold: -1e9, publishThreshold: -1e9, gossipThreshold: -1e9 },
      }),
    },
  })
  const pubsub = node.services.pubsub as GossipSub
  pubsub.subscribe(topic)
  return {
    tell: async (data) => void (await pubsub.publish(topic, data)),
    connected: () => node.getConnections().length,
    hearers: () => pubsub.getSubscribers(topic).length,
    dial: async (address) => void (await node.dial(multiaddr(address))),
    [Symbol.asyncDispose]: async () => await node.stop(),
  }
}
