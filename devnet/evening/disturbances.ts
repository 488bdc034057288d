import { seededInt } from '../seed.ts'

/** What goes wrong in a minute of the evening. */
export type Disturbance =
  | { readonly kind: 'KILL_GATEWAY' }
  | { readonly kind: 'RESTART_BROKER'; readonly downMs: number }
  /** So many chargers lose their network for so many minutes of the evening. */
  | { readonly kind: 'CUT_LINKS'; readonly evses: readonly number[]; readonly minutes: number }
  | { readonly kind: 'REPEAT'; readonly evses: readonly number[] }

export interface Disturbances {
  readonly kills: number
  readonly brokerRestarts: number
  /** By minute of the evening. */
  readonly at: ReadonlyMap<number, readonly Disturbance[]>
}

export interface DisturbancesSize {
  readonly seed: string
  readonly minutes: number
  readonly evses: number
  readonly kills: number
  readonly brokerRestarts: number
}

/** In so many minutes of a hundred some links are cut, and records sent again. */
const CUT_PERCENT = 40
const REPEAT_PERCENT = 50

/** The same seed disturbs in the same minutes; what that meets, the machine's speed decides. */
export function planDisturbances({ seed, minutes, evses, kills, brokerRestarts }: DisturbancesSize): Disturbances {
  const at = new Map<number, Disturbance[]>()
  const add = (minute: number, disturbance: Disturbance): void => {
    at.set(minute, [...(at.get(minute) ?? []), disturbance])
  }
  const int = (what: string, index: number, least: number, count: number): number =>
    seededInt(seed, `disturb-${what}`, index, { least, count })
  const some = (what: string, minute: number, most: number): number[] =>
    Array.from({ length: int(`${what}-count`, minute, 1, most) }, (_, i) => int(what, minute * 1_000 + i, 0, evses))
  // Spread over the evening, one in each stretch: in the middle of things, whatever the seed.
  const spread = (what: string, count: number, make: (index: number) => Disturbance): void => {
    for (let i = 0; i < count; i++) {
      const stretch = Math.floor((minutes - 2) / count)
      add(1 + i * stretch + int(what, i, 0, Math.max(1, stretch)), make(i))
    }
  }
  spread('kill', kills, () => ({ kind: 'KILL_GATEWAY' }))
  spread('broker', brokerRestarts, (i) => ({ kind: 'RESTART_BROKER', downMs: int('broker-down', i, 50, 1_500) }))
  for (let minute = 1; minute < minutes - 1; minute++) {
    if (int('cut', minute, 0, 100) < CUT_PERCENT) {
      const list = some('cut-evse', minute, Math.max(2, Math.floor(evses / 10)))
      add(minute, { kind: 'CUT_LINKS', evses: [...new Set(list)], minutes: int('cut-minutes', minute, 1, 12) })
    }
    if (int('repeat', minute, 0, 100) < REPEAT_PERCENT) {
      add(minute, { kind: 'REPEAT', evses: [...new Set(some('repeat-evse', minute, 10))] })
    }
  }
  return { kills, brokerRestarts, at }
}
