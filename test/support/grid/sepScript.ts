/** What a utility's server has to tell; all times in seconds since the epoch. */
export interface ScriptedEvent {
  /** Up to 32 hex digits. */
  readonly mrid: string
  readonly description?: string
  readonly creationTime: number
  readonly start: number
  readonly duration: number
  readonly randomizeStart?: number
  readonly randomizeDuration?: number
  readonly replyTo?: string
  /** Two hex digits: bit 0 received, bit 1 what becomes of it. */
  readonly responseRequired?: string
  /** Status 2 (cancelled), 3 (cancelled with randomisation) or 4 (superseded). */
  ended?: { readonly status: 2 | 3 | 4; readonly at: number }
}

/** `value` × 10^`multiplier` watts. */
export interface ScriptedPower {
  readonly multiplier: number
  readonly value: number
}

export interface ScriptedControl extends ScriptedEvent {
  readonly base: {
    readonly opModConnect?: boolean
    readonly opModEnergize?: boolean
    readonly opModFixedW?: number
    readonly opModMaxLimW?: number
    readonly opModTargetW?: ScriptedPower
    readonly opModExpLimW?: ScriptedPower
  }
  /** Eight hex digits. */
  readonly deviceCategory?: string
}

export interface ScriptedProgram {
  readonly mrid: string
  readonly description?: string
  readonly primacy: number
  readonly controls: ScriptedControl[]
  readonly defaults?: ScriptedControl['base']
}

export interface ScriptedTariff {
  readonly mrid: string
  readonly componentMrid: string
  readonly primacy: number
  /** ISO 4217 number. */
  readonly currency: number
  readonly pricePowerOfTen: number
  /** 19: of energy into the grid; 1: out of it. */
  readonly flowDirection: number
  /** Of the watt-hours that a price is for; 3: kWh. */
  readonly energyPowerOfTen: number
  readonly intervals: (ScriptedEvent & { readonly price: number })[]
}

export interface SepScript {
  /** LFDIs, upper case, and SFDIs of the devices that the server knows. */
  devices: { readonly lfdi: string; readonly sfdi: number }[]
  programs: ScriptedProgram[]
  tariffs: ScriptedTariff[]
}
