import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { encodeRequestFrame, RECORDS_PROTOCOL } from '../../../protocol/wire.ts'
import { Random } from '../generators/random.ts'
import { startRawPeer } from '../rawPeer.ts'
import type { Siege } from './tally.ts'

/** Bytes that are no handshake, from another loopback address. */
export async function rawBytes({ tally, seed, done }: Siege, address: string, from: string): Promise<void> {
  const random = new Random(seed)
  const port = Number(/\/tcp\/(\d+)/.exec(address)![1])
  while (!done.aborted) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from })
    socket.on('error', () => {})
    tally.add('libp2p: raw bytes')
    socket.write(random.bytes(random.logInt(1, 20_000)))
    try {
      await once(socket, 'close', { signal: AbortSignal.any([done, AbortSignal.timeout(200)]) })
    } catch {
      socket.destroy()
    }
  }
}

/** A peer that speaks the protocols down to the frames, and lies in those. */
export async function badFrames({ tally, seed, done }: Siege, address: string, lane: number): Promise<void> {
  const random = new Random(seed)
  while (!done.aborted) {
    const node = await startRawPeer()
    try {
      const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(2_000) })
      for (let i = 0; i < 20 && !done.aborted; i++) {
        const stream = await connection.newStream(RECORDS_PROTOCOL, { signal: AbortSignal.timeout(2_000) })
        tally.add('libp2p: bad frames')
        stream.send(frame(random, lane))
        await sleep(random.int(0, 30))
        if (random.chance(0.5)) stream.abort(new Error('gone'))
      }
    } catch {
      tally.add('libp2p: turned away')
      await sleep(50)
    } finally {
      await node.stop()
    }
  }
}

function frame(random: Random, lane: number): Uint8Array {
  const rows = random.bytes(88 * random.int(1, 64))
  const good = encodeRequestFrame({ requestId: random.u32(), lane: random.chance(0.8) ? lane : random.u32(), rows })
  switch (random.int(0, 4)) {
    case 0: // says that it is longer than any
      good.set([0xff, 0xff, 0xff, 0xff])
      return good
    case 1: // ends in the middle
      return good.subarray(0, random.int(1, good.length - 1))
    case 2:
      return random.bytes(random.logInt(1, 100_000))
    case 3:
      good[random.int(0, good.length - 1)]! ^= 1 << random.int(0, 7)
      return good
    default:
      return good
  }
}
