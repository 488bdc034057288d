import { encodeProof } from '../../protocol/fraudProof.ts'
import type { Hex } from 'viem'
import { toHex } from '../../l1/bytes.ts'
import type { FalseBatch } from '../replay/laneChecker.ts'
import { openChunk } from '../../l1/derive/openings.ts'

/** The `proof` argument of `proveFraud` (docs/protocol.md §15.4). */
export async function buildProof(
  falsehood: Pick<FalseBatch, 'batch' | 'data' | 'chunk' | 'witness' | 'forced'>,
): Promise<Hex> {
  const { batch, data, chunk, witness, forced } = falsehood
  return encodeProof({
    dataWords: batch.dataWords,
    opening: await openChunk(data, chunk),
    witness,
    forced: toHex(forced),
  })
}
