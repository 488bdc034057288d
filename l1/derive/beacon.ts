import type { Hex } from 'viem'
import { z } from 'zod'
import { BLOB_BYTES } from '../../protocol/chunk.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { fromHex } from '../bytes.ts'

export interface BlobRequest {
  versionedHashes: readonly Hex[]
  block: { number: bigint; timestamp: number }
}

/** Where blobs can be asked for. What it returns proves nothing yet: `fetchBlobs` checks. */
export interface BlobSource {
  readonly name: string
  fetch(request: BlobRequest, signal?: AbortSignal): Promise<Uint8Array[]>
}

/** An entry of `[[l1.beacon]]`. */
export const beaconConfigSchema = z.strictObject({
  url: z.url(),
  /** What the node calls a block: beacon nodes a slot, development nodes (anvil) the block's number. */
  blockId: z.enum(['slot', 'number']).default('slot'),
  secondsPerSlot: z.number().int().positive().default(12),
  timeoutMs: z.number().int().min(100).max(120_000).default(20_000),
})
export type BeaconConfig = z.infer<typeof beaconConfigSchema>

const genesisSchema = z.object({ data: z.object({ genesis_time: z.string().regex(/^\d+$/) }) })
const hexBlob = z.string().length(2 + 2 * BLOB_BYTES)
const blobsSchema = z.object({ data: z.array(hexBlob) })
const sidecarsSchema = z.object({ data: z.array(z.object({ blob: hexBlob })) })
/** A block of 21 blobs is 5.5 MB in hex. */
const MAX_ANSWER_BYTES = 64_000_000

/** The beacon API: `/eth/v1/beacon/blobs/{block_id}`, and `blob_sidecars` of older nodes. */
export function beaconSource(config: BeaconConfig): BlobSource {
  const base = config.url.replace(/\/+$/, '')
  let genesisTime: Promise<number> | undefined

  const get = async (path: string, signal: AbortSignal | undefined): Promise<unknown> => {
    const timeout = AbortSignal.timeout(config.timeoutMs)
    let response: Response
    try {
      response = await fetch(`${base}${path}`, {
        headers: { accept: 'application/json' },
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      })
      if (response.ok) {
        if (Number(response.headers.get('content-length') ?? 0) > MAX_ANSWER_BYTES) throw new Error('answer too large')
        return await response.json()
      }
      await response.body?.cancel()
    } catch (cause) {
      signal?.throwIfAborted()
      throw new BackfeedError('BEACON_UNREACHABLE', `${base} did not answer ${path}`, {
        retryable: true,
        exitCode: ExitCode.l1Unreachable,
        cause,
      })
    }
    throw new BackfeedError('BEACON_REFUSED', `${base} answered ${response.status} to ${path}`, {
      retryable: response.status === 429 || response.status >= 500,
      details: { status: response.status },
    })
  }

  const blockId = async (block: BlobRequest['block'], signal: AbortSignal | undefined): Promise<string> => {
    if (config.blockId === 'number') return block.number.toString()
    genesisTime ??= get('/eth/v1/beacon/genesis', signal).then((answer) =>
      Number(genesisSchema.parse(answer).data.genesis_time),
    )
    try {
      return String(slotAt(block.timestamp, await genesisTime, config.secondsPerSlot))
    } catch (error) {
      genesisTime = undefined
      throw error
    }
  }

  return {
    name: base,
    fetch: async (request, signal) => {
      const id = await blockId(request.block, signal)
      const wanted = request.versionedHashes.map((hash) => `versioned_hashes=${hash}`).join('&')
      try {
        const filtered = parse(blobsSchema, await get(`/eth/v1/beacon/blobs/${id}?${wanted}`, signal), base)
        // Some nodes (anvil) understand one hash only, or none: then all of the block's.
        const answer =
          filtered.data.length >= request.versionedHashes.length
            ? filtered
            : parse(blobsSchema, await get(`/eth/v1/beacon/blobs/${id}`, signal), base)
        return answer.data.map(fromHex)
      } catch (error) {
        if (!(error instanceof BackfeedError) || error.code !== 'BEACON_REFUSED' || error.retryable) throw error
        const answer = await get(`/eth/v1/beacon/blob_sidecars/${id}`, signal)
        return parse(sidecarsSchema, answer, base).data.map((sidecar) => fromHex(sidecar.blob))
      }
    },
  }
}

/** The slot whose block has this time: execution blocks carry their slot's start. */
export function slotAt(timestamp: number, genesisTime: number, secondsPerSlot: number): number {
  if (timestamp < genesisTime || (timestamp - genesisTime) % secondsPerSlot !== 0) {
    throw new BackfeedError(
      'BEACON_MISMATCH',
      `time ${timestamp} is no slot of a chain with genesis ${genesisTime}: a beacon node of another chain?`,
      { exitCode: ExitCode.usage },
    )
  }
  return (timestamp - genesisTime) / secondsPerSlot
}

function parse<T>(schema: z.ZodType<T>, answer: unknown, origin: string): T {
  const result = schema.safeParse(answer)
  if (result.success) return result.data
  throw new BackfeedError('BEACON_REFUSED', `${origin} answered in an unknown form`, { cause: result.error })
}
