import { createLogger, type Logger } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { type Agent, type AgentOptions, startAgent } from './agent.ts'
import type { EvseConfig } from './config.ts'
import { LineDoor } from './lines/lineDoor.ts'

export interface EvseProcess extends Agent {
  /** Where lines are taken, of a TCP door. */
  readonly linePort: number | undefined
}

export interface EvseProcessOptions extends Pick<AgentOptions, 'signal' | 'timeSource' | 'now' | 'monotonicMs'> {
  readonly log?: Logger
  readonly metrics?: Metrics
}

/** `backfeed evse`: an agent whose charger speaks lines. Ends when standard input does. */
export async function startEvse(config: Readonly<EvseConfig>, options: EvseProcessOptions = {}): Promise<EvseProcess> {
  const log = options.log ?? createLogger({ service: 'evse', level: config.log.level })
  const door = new LineDoor(config.input, log)
  const hasLines = config.input.kind !== 'none'
  const agent = await startAgent(config, {
    ...options,
    log,
    ...(hasLines && { hardware: door.hardware }),
    extra: (doors) => [door.connect(doors)],
  })
  door.onEnd(() => void agent.stop())
  return { ...agent, linePort: door.port }
}
