import { z } from 'zod'
import { BackfeedError } from '../runtime/errors.ts'

const laneSchema = z.object({
  accepting: z.boolean(),
  accepted: z.number(),
  settled: z.number(),
  spentMicro: z.string().transform(BigInt),
  l1: z.object({ block: z.number(), seconds: z.number() }),
  openBatch: z.object({ index: z.number(), asOf: z.number(), records: z.number() }),
  closedIndex: z.number(),
  postedIndex: z.number(),
  finalIndex: z.number(),
})
export type LaneAnswer = z.infer<typeof laneSchema>

const batchSchema = z.object({
  header: z.object({ chunkCount: z.number(), dataKind: z.number() }),
  records: z.number(),
  transaction: z.object({ hash: z.string().transform((text) => text as `0x${string}`) }).optional(),
})
export type BatchAnswer = z.infer<typeof batchSchema>

const problemsSchema = z.object({ problems: z.array(z.object({ code: z.string(), message: z.string() })).default([]) })

/** Of one request. A busy machine is slow; only a dead sequencer takes this long. */
const TIMEOUT_MS = 60_000

/** The sequencer's public query API, as anybody sees it. */
export class LaneApi {
  readonly #url: string
  readonly #lane: number

  constructor(url: string, lane: number) {
    this.#url = url
    this.#lane = lane
  }

  async lane(): Promise<LaneAnswer> {
    return await this.#get(`/v1/lanes/${this.#lane}`, laneSchema)
  }

  async batch(index: number): Promise<BatchAnswer> {
    return await this.#get(`/v1/lanes/${this.#lane}/batches/${index}`, batchSchema)
  }

  /** What the sequencer says keeps it from working, for people. */
  async problems(): Promise<string> {
    try {
      const response = await fetch(`${this.#url}/healthz`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
      const { problems } = problemsSchema.parse(await response.json())
      return problems.map(({ code, message }) => `${code}: ${message}`).join('; ')
    } catch {
      return 'it does not say why'
    }
  }

  async #get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    let answer: unknown
    try {
      const response = await fetch(`${this.#url}${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
      answer = await response.json()
      if (!response.ok) throw new Error(`status ${response.status}`)
    } catch (cause) {
      throw new BackfeedError('API_FAILED', `the sequencer did not answer ${path}`, { cause })
    }
    return schema.parse(answer)
  }
}
