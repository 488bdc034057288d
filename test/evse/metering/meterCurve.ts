import type { MeterEvent, MeterSample } from '../../../evse/metering/meterEvent.ts'

/** Small, quick and the same everywhere: a run is told by its seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 2 ** 32
  }
}

export interface Curve {
  readonly events: readonly MeterEvent[]
  /** True register at a moment, mWh: what a perfect witness saw. */
  readonly registerAt: (atMs: number) => number
  readonly firstMilliWh: number
  readonly lastMilliWh: number
  readonly endMs: number
}

export interface CurveOptions {
  readonly seed: number
  readonly evse?: string
  readonly ratedW: number
  readonly capacityWh: number
  readonly transactions: number
  /** Between readings at most, s. */
  readonly sampleSeconds: number
  readonly startMs: number
  /** Constant rated power instead of a changing one. */
  readonly isFullPower?: boolean
  /** Between transactions at least, ms. */
  readonly pauseMs?: number
}

/** Cars one after another: power in steps below the rated, the battery losing more than is exported, its gauge in whole percents. */
export function meterCurve(options: CurveOptions): Curve {
  const { seed, ratedW, capacityWh, sampleSeconds, evse = 'e1' } = options
  const random = randomOf(seed)
  const between = (low: number, high: number): number => Math.floor(low + random() * (high - low + 1))
  const events: MeterEvent[] = []
  const knots: { atMs: number; milliWh: number }[] = []
  let atMs = options.startMs + between(0, 900_000)
  let exact = between(0, 5_000_000) + random()
  knots.push({ atMs, milliWh: exact })
  const first = Math.floor(exact)
  for (let t = 0; t < options.transactions; t++) {
    const efficiency = 0.85 + 0.15 * random()
    let soc = 40 + 60 * random()
    const lasts = between(20, Math.min(7_200, 100 * sampleSeconds)) * 1_000 + between(0, 999)
    const end = atMs + lasts
    let seqNo = 0
    const sample = (): MeterSample => ({
      atMs,
      exportMilliWh: Math.floor(exact),
      socBp: Math.floor(soc) * 100,
      tempC: 20 + between(0, 20),
    })
    const say = (kind: MeterEvent['kind']): void => {
      const transaction = `tx${t}`
      events.push({
        evse,
        kind,
        transaction,
        seqNo: seqNo++,
        atMs,
        offline: false,
        contract: t % 3,
        samples: [sample()],
      })
    }
    say('STARTED')
    while (atMs < end) {
      const step = Math.min(end - atMs, between(1, sampleSeconds * 1_000))
      const watts = options.isFullPower ? ratedW : random() < 0.15 ? 0 : ratedW * random()
      const milliWh = Math.min((watts * step) / 3_600, (soc - 1) * 10 * capacityWh * efficiency)
      const given = Math.max(0, milliWh)
      exact += given
      soc -= given / (10 * capacityWh * efficiency)
      atMs += step
      knots.push({ atMs, milliWh: exact })
      say(atMs < end ? 'UPDATED' : 'ENDED')
    }
    atMs += (options.pauseMs ?? 1_000) + between(0, 3_600_000)
    knots.push({ atMs, milliWh: exact })
  }
  const registerAt = (at: number): number => {
    const next = knots.findIndex((knot) => knot.atMs >= at)
    if (next <= 0) return (next === 0 ? knots[0]! : knots.at(-1)!).milliWh
    const [a, b] = [knots[next - 1]!, knots[next]!]
    return b.atMs === a.atMs ? b.milliWh : a.milliWh + ((b.milliWh - a.milliWh) * (at - a.atMs)) / (b.atMs - a.atMs)
  }
  return { events, registerAt, firstMilliWh: first, lastMilliWh: Math.floor(exact), endMs: atMs }
}

export interface Mangling {
  readonly seed: number
  /** Shares of messages, 0 to 1. */
  readonly lost: number
  readonly repeated: number
  readonly delayed: number
  /** Numbers begin again with every so many messages' probability. */
  readonly boots: number
}

/** What a network, a queue and a rebooting station make of messages. */
export function mangled(events: readonly MeterEvent[], mangling: Mangling): MeterEvent[] {
  const random = randomOf(mangling.seed)
  const numbered: MeterEvent[] = []
  let [transaction, offset] = ['', 0]
  for (const event of events) {
    if (event.transaction !== transaction) [transaction, offset] = [event.transaction, 0]
    if (event.kind === 'UPDATED' && random() < mangling.boots) offset = event.seqNo
    numbered.push({ ...event, seqNo: event.seqNo - offset })
  }
  const sent: { event: MeterEvent; order: number }[] = []
  numbered.forEach((event, index) => {
    if (random() < mangling.lost) return
    const isDelayed = random() < mangling.delayed
    const order = isDelayed ? index + random() * 40 : index
    sent.push({ event: { ...event, offline: isDelayed }, order })
    if (random() < mangling.repeated) sent.push({ event: { ...event, offline: true }, order: index + random() * 60 })
  })
  return sent.toSorted((a, b) => a.order - b.order).map(({ event }) => event)
}
