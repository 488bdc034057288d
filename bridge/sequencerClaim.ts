import { type Hex, isAddress } from 'viem'
import { z } from 'zod'
import { type BatchHeader, hashHeader } from '../protocol/batchHeader.ts'
import { BackfeedError } from '../runtime/errors.ts'
import type { ClaimBase, CreditClaim } from './withdraw.ts'

const hex = z
  .string()
  .regex(/^0x([0-9a-f]{2})*$/i)
  .transform((text) => text as Hex)
const wide = z.union([z.string().regex(/^\d+$/), z.number().int().nonnegative()]).transform(BigInt)
const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }))
  .transform((text) => text as Hex)

const headerSchema = z.object({
  lane: z.number(),
  index: wide,
  parentHash: hex,
  postRoot: hex,
  asOf: z.number(),
  l1Block: wide,
  l1Hash: hex,
  forcedStart: wide,
  forcedStartHash: hex,
  forcedEnd: wide,
  forcedEndHash: hex,
  dataKind: z.number(),
  chunkCount: z.number(),
  forcedChunks: z.number(),
  dataHash: hex,
  submitter: address,
})

const creditSchema = z.object({
  slot: z.number(),
  final: z
    .object({
      header: headerSchema,
      headerHash: hex,
      evseRoot: hex,
      laneHash: hex,
      descriptor: hex,
      leaf: hex,
      path: z.array(hex).length(20),
    })
    .optional(),
})

/** The quick way to a claim: as the sequencer gives it. L1 checks all of it, so a lie costs a refused transaction at most. */
export async function fetchSequencerClaim(
  sequencerUrl: string,
  of: { lane: number; slot: number },
): Promise<{ base: ClaimBase; claim: CreditClaim }> {
  const url = `${sequencerUrl.replace(/\/+$/, '')}/v1/lanes/${of.lane}/contracts/${of.slot}`
  let answer: unknown
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(20_000) })
    answer = await response.json()
    if (!response.ok) throw new Error(`status ${response.status}`)
  } catch (cause) {
    throw new BackfeedError('SEQUENCER_SILENT', `${url} gives no claim; L1 alone will do`, { retryable: true, cause })
  }
  const parsed = creditSchema.safeParse(answer)
  if (!parsed.success) {
    throw new BackfeedError('SEQUENCER_ODD', `${url} answered in an unknown form`, { cause: parsed.error })
  }
  const { final } = parsed.data
  if (final === undefined) throw new BackfeedError('NOTHING_FINAL', 'no batch is final yet')
  const header: BatchHeader = final.header
  if (header.lane !== of.lane || hashHeader(header) !== final.headerHash) {
    throw new BackfeedError('SEQUENCER_ODD', `${url} gave a header that is not what it says`)
  }
  const { evseRoot, laneHash, descriptor, leaf, path } = final
  return { base: { header, evseRoot, laneHash }, claim: { slot: of.slot, descriptor, leaf, path } }
}
