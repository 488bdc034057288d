import type { Connection, PrivateKey, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { RECORDS_PROTOCOL } from '../protocol/wire.ts'
import { type AnsweredRecord, type RecordClient, type SubmitSettings, submitChecked } from './recordClient.ts'
import { RequestStream } from './requestStream.ts'
import { SubmitError } from './submitError.ts'

export interface Libp2pClientSettings extends SubmitSettings {
  /** Of the sequencer, with its peer id: `/dns4/…/tcp/4301/p2p/12D3…`. The id authenticates it. */
  address: string
  /** For sequencers that know their gateways; by default a new identity each time. */
  privateKey?: PrivateKey
  /** Requests under way at once; more wait here. At most the sequencer's 64. Default 8. */
  maxRequests?: number
  /** For one request. Default 35 s. */
  timeoutMs?: number
}

/**
 * One long-lived stream, opened when first needed and again after it broke. Requests of one caller keep their order as long as the caller does
 * not wait between them.
 */
export async function createLibp2pClient(settings: Libp2pClientSettings): Promise<RecordClient> {
  const target = multiaddr(settings.address)
  if (!target.getComponents().some(({ name }) => name === 'p2p')) {
    throw new RangeError('the address must name the sequencer’s peer id (/p2p/…)')
  }
  const node = await createLibp2p({
    ...(settings.privateKey === undefined ? {} : { privateKey: settings.privateKey }),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxInboundStreams: 1, maxOutboundStreams: 4 })],
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: () => false }, // an address given on purpose may be a private one
  })
  return new Libp2pClient(node, target, settings)
}

class Libp2pClient implements RecordClient {
  readonly #node: Libp2p
  readonly #target: ReturnType<typeof multiaddr>
  readonly #settings: Libp2pClientSettings
  #current: RequestStream | undefined
  #opening: Promise<RequestStream> | undefined
  #closed = false

  constructor(node: Libp2p, target: ReturnType<typeof multiaddr>, settings: Libp2pClientSettings) {
    this.#node = node
    this.#target = target
    this.#settings = settings
  }

  async submit(request: Parameters<RecordClient['submit']>[0]): Promise<readonly AnsweredRecord[]> {
    const { lane, signal } = request
    return await submitChecked(this.#settings, request, async (rows, count) => {
      const stream = this.#current?.open ? this.#current : await this.#open()
      return stream.request({ lane, rows, count, signal })
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#current?.close()
    await this.#node.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #open(): Promise<RequestStream> {
    this.#opening ??= this.#dial().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #dial(): Promise<RequestStream> {
    if (this.#closed) throw new SubmitError('REJECTED', 'the client was closed')
    let stream: Stream
    try {
      const connection: Connection = await this.#node.dial(this.#target, { signal: AbortSignal.timeout(10_000) })
      stream = await connection.newStream(RECORDS_PROTOCOL, { signal: AbortSignal.timeout(10_000) })
    } catch (cause) {
      throw new SubmitError('NO_ANSWER', `cannot reach ${this.#target.toString()}`, { cause })
    }
    const { maxRequests = 8, timeoutMs = 35_000 } = this.#settings
    this.#current = new RequestStream({ stream, maxRequests, timeoutMs })
    return this.#current
  }
}
