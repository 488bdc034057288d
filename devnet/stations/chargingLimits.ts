// Charging profiles as a station keeps them: the highest stack level decides.

interface Period {
  readonly limit?: number
  readonly setpoint?: number
  readonly operationMode?: string
}

interface Schedule {
  readonly chargingSchedulePeriod: readonly Period[]
}

/** OCPP 2; 1.6 names the id otherwise and has a single schedule. */
export interface ReceivedProfile {
  readonly id?: number
  readonly chargingProfileId?: number
  readonly stackLevel: number
  readonly chargingProfilePurpose: string
  readonly transactionId?: string | number
  readonly maxOfflineDuration?: number
  readonly chargingSchedule: Schedule | readonly Schedule[]
}

interface Kept {
  readonly evseId: number
  readonly profile: ReceivedProfile
}

export class ChargingLimits {
  readonly #kept = new Map<number, Kept>()

  set(evseId: number, profile: ReceivedProfile): void {
    this.#kept.set(profile.id ?? profile.chargingProfileId ?? 0, { evseId, profile })
  }

  /** 0: of all EVSEs. Returns how many there were. */
  clear(evseId: number): number {
    let cleared = 0
    for (const [id, kept] of this.#kept) {
      if (evseId !== 0 && kept.evseId !== evseId) continue
      this.#kept.delete(id)
      cleared++
    }
    return cleared
  }

  /** TxProfiles go with their transaction. */
  ended(transaction: string): void {
    for (const [id, { profile }] of this.#kept) if (String(profile.transactionId) === transaction) this.#kept.delete(id)
  }

  /** Discharge at most so much, W; undefined: nothing was said. `offlineMs`: how long the link has been down. */
  watts(evseId: number, transaction: string | undefined, offlineMs: number): number | undefined {
    const holding = [...this.#kept.values()]
      .filter(({ evseId: at, profile }) => {
        if (at !== evseId && at !== 0) return false
        if (profile.maxOfflineDuration !== undefined && offlineMs > profile.maxOfflineDuration * 1_000) return false
        return profile.chargingProfilePurpose === 'TxDefaultProfile' || String(profile.transactionId) === transaction
      })
      .sort((a, b) => rank(b.profile) - rank(a.profile))
    const best = holding[0]?.profile
    if (best === undefined) return undefined
    const period = ([best.chargingSchedule].flat()[0] as Schedule | undefined)?.chargingSchedulePeriod.at(-1)
    if (period === undefined) return undefined
    if (period.operationMode === 'Idle') return 0
    return Math.abs(period.setpoint ?? period.limit ?? 0)
  }
}

/** A TxProfile goes before any default (OCPP 2.0.1 part 2, K01). */
function rank(profile: ReceivedProfile): number {
  return profile.stackLevel + (profile.chargingProfilePurpose === 'TxProfile' ? 1_000 : 0)
}
