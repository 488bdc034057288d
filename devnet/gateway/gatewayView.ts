import { parseGatewayStatus } from '../../gateway/statusAnswer.ts'
import type { GatewayStatus } from '../../gateway/status.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { pause } from '../../runtime/wait.ts'

/** A busy machine is slow; only a fault takes this long. */
const WAIT_TIMEOUT_MS = 240_000

/** The gateway as anybody sees it. */
export class GatewayView {
  readonly #url: string
  readonly #signal: AbortSignal

  constructor(url: string, signal: AbortSignal) {
    this.#url = url
    this.#signal = signal
  }

  get statusUrl(): string {
    return `${this.#url}/v1/status`
  }

  /** Undefined while it does not answer. */
  async status(): Promise<GatewayStatus | undefined> {
    try {
      const response = await fetch(this.statusUrl, { signal: AbortSignal.timeout(10_000) })
      return parseGatewayStatus(await response.json())
    } catch {
      return undefined
    }
  }

  /** @throws BackfeedError EVENING_STUCK with the gateway's own problems */
  async until(what: string, holds: (status: GatewayStatus) => boolean): Promise<void> {
    const deadline = performance.now() + WAIT_TIMEOUT_MS
    for (;;) {
      this.#signal.throwIfAborted()
      const status = await this.status()
      if (status !== undefined && holds(status)) return
      if (performance.now() > deadline) {
        throw new BackfeedError('EVENING_STUCK', `waited in vain until ${what}: ${describe(status)}`)
      }
      await pause(50, this.#signal)
    }
  }
}

/** Where the chain's clock stands for the gateway, seconds. */
export function gatewaySeconds({ sources }: GatewayStatus): number {
  const block = sources.find(({ name }) => name === 'fleet')?.figures.l1Block
  return typeof block === 'string' ? Date.parse(block) / 1_000 : Number.NaN
}

/** Records that wait for receipts, and spans that wait for signatures. */
export function unsettled({ evses }: GatewayStatus): number {
  let count = 0
  for (const { facts } of evses) count += Number(facts.waiting ?? 0) + (facts.waitsFor === undefined ? 0 : 1)
  return count
}

/** Whether nothing waits for a webhook's receiver, nor a session for its records. */
export function isAllTold({ sources }: GatewayStatus): boolean {
  const figures = sources.find(({ name }) => name === 'webhooks')?.figures
  return figures?.queued === 0 && figures.openSessions === 0
}

function describe(status: GatewayStatus | undefined): string {
  if (status === undefined) return 'it does not answer'
  const problems = status.sources.flatMap(({ name, problems }) =>
    problems.slice(0, 5).map(({ code, message }) => `${name} ${code}: ${message}`),
  )
  return `${JSON.stringify(status.sources.map(({ name, state, figures }) => ({ name, state, ...figures })))}; ${problems.join('; ')}`
}
