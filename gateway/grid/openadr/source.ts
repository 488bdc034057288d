import type { Logger } from '../../../runtime/log.ts'
import type { SourceProblem } from '../../sourceStatus.ts'
import type { GridMetrics } from '../gridMetrics.ts'
import { KEPT_AHEAD_SECONDS, KEPT_PAST_SECONDS } from '../limits.ts'
import type { GridSource } from '../model/gridSource.ts'
import { type Answer, PolledSource } from '../polledSource.ts'
import type { OpenadrConfig } from './config.ts'
import { eventSchema, programSchema } from './schema.ts'
import { VtnClient } from './vtnClient.ts'
import { vtnPicture } from './vtnPicture.ts'

export interface OpenadrDeps {
  readonly log: Logger
  readonly metrics: GridMetrics
  readonly now: () => number
}

/** A VEN's reading half: programs and events of an OpenADR 3 VTN, polled. Reports are the utility's meter's business: none are sent. */
export function openOpenadr(config: OpenadrConfig, deps: OpenadrDeps): GridSource {
  const client = new VtnClient(config, deps.now)
  const ask = async (signal: AbortSignal): Promise<Answer> => {
    const problems: SourceProblem[] = []
    const refused = (why: string): void => void problems.push({ code: 'EVENT_REFUSED', message: why })
    const programs = await client.list('programs', programSchema, { refused, signal })
    const events = await client.list('events', eventSchema, { refused, signal })
    const nowSeconds = deps.now() / 1000
    const window = { start: nowSeconds - KEPT_PAST_SECONDS, end: nowSeconds + KEPT_AHEAD_SECONDS }
    const read = vtnPicture({ programs, events }, config, { nowSeconds, window })
    return {
      picture: read.picture,
      nextMs: config.pollSeconds * 1000,
      problems: [...problems, ...read.problems],
      figures: { programs: programs.length, events: events.length },
    }
  }
  return new PolledSource({
    name: config.name,
    ask,
    retryMs: Math.min(5_000, config.pollSeconds * 1000),
    maxRetryMs: 10 * config.pollSeconds * 1000,
    staleMs: config.staleSeconds * 1000,
    ...deps,
  })
}
