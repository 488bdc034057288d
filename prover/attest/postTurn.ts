import { createHash } from 'node:crypto'
import type { Hex } from 'viem'
import { fromHex } from '../../l1/bytes.ts'

/**
 * Milliseconds from the moment of a quorum to an attester's turn of posting it: they take turns in an order that every batch shuffles, so
 * that not all of them pay for the same transaction, and whoever is silent is passed over.
 */
export function turnDelayMs(parts: {
  headerHash: Hex
  /** Ids of everyone who attests. */
  ids: readonly number[]
  /** Undefined: not one of them, last of all. */
  own: number | undefined
  turnMs: number
}): number {
  const { headerHash, ids, own, turnMs } = parts
  const order = ids
    .map((id) => ({ id, place: placeOf(headerHash, id) }))
    .sort((a, b) => Buffer.compare(a.place, b.place))
  const turn = order.findIndex(({ id }) => id === own)
  return (turn === -1 ? order.length : turn) * turnMs
}

function placeOf(headerHash: Hex, id: number): Buffer {
  return createHash('sha256')
    .update(fromHex(headerHash))
    .update(Uint8Array.of(id & 0xff))
    .digest()
}
