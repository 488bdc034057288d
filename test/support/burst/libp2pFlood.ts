import { once } from 'node:events'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import {
  AnswerStatus,
  decodeAnswer,
  encodeRequestFrame,
  FrameReader,
  MAX_ANSWER_FRAME_BYTES,
  RECORDS_PROTOCOL,
} from '../../../protocol/wire.ts'
import { startRawPeer } from '../rawPeer.ts'

export interface Flood {
  readonly address: string
  readonly lane: number
  /** The next request's rows. */
  readonly next: () => Uint8Array
  readonly onAnswered: (kind: 'results' | 'refused') => void
  /** Flow control: the sequencer does not read on, and nothing more fits into this side. */
  readonly onHeldBack: () => void
  readonly done: AbortSignal
}

/** A peer that writes requests as fast as flow control lets it, and heeds no refusal. */
export async function flood({ address, lane, next, onAnswered, onHeldBack, done }: Flood): Promise<void> {
  const node = await startRawPeer()
  try {
    const connection = await node.dial(multiaddr(address))
    const stream = await connection.newStream(RECORDS_PROTOCOL)
    const unanswered = listen(stream, onAnswered)
    for (let requestId = 1; !done.aborted; requestId++) {
      unanswered.add(requestId)
      if (stream.send(encodeRequestFrame({ requestId, lane, rows: next() }))) {
        await new Promise(setImmediate)
        continue
      }
      onHeldBack()
      await once(stream, 'drain', { signal: done }).catch(() => {})
    }
  } finally {
    await node.stop()
  }
}

function listen(stream: Stream, onAnswered: Flood['onAnswered']): Set<number> {
  const reader = new FrameReader(MAX_ANSWER_FRAME_BYTES)
  const unanswered = new Set<number>()
  stream.addEventListener('message', ({ data }) => {
    for (const piece of data instanceof Uint8Array ? [data] : data) reader.push(piece)
    for (let frame = reader.takeFrame(); frame !== undefined; frame = reader.takeFrame()) {
      const answer = frame === 'BAD_LENGTH' ? undefined : decodeAnswer(frame)
      if (answer === undefined || !unanswered.delete(answer.requestId))
        throw new Error('this is no answer to a request')
      if (answer.status === AnswerStatus.RESULTS) onAnswered('results')
      else if (answer.status === AnswerStatus.OVERLOADED && answer.retryAfterMs > 0) onAnswered('refused')
      else throw new Error(`answered ${answer.status}`)
    }
  })
  return unanswered
}
