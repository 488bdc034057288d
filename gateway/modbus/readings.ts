import type { Telemetry } from '../../evse/guard/telemetry.ts'
import type { RegisterConfig } from './config.ts'
import { type Block, bitsOf, plausibleValue } from './registerMap.ts'

/** A heartbeat that nobody gave a time for, ms. */
const HEARTBEAT_STUCK_MS = 5_000

export type Doubt = 'MODBUS_IMPLAUSIBLE' | 'MODBUS_STUCK'

type Judged = { readonly value: number } | { readonly doubt: Doubt }

/** What the registers of one EVSE said lately, and what of it is believed. */
export class EvseReadings {
  readonly evse: string
  readonly #registers: readonly RegisterConfig[]
  readonly #judged = new Map<RegisterConfig, Judged>()
  readonly #bits = new Map<RegisterConfig, { readonly bits: number; readonly sinceMs: number }>()

  constructor(evse: string, registers: readonly RegisterConfig[]) {
    this.evse = evse
    this.#registers = registers
  }

  /** Forgets what the last round said: a register that is not read is not known. */
  begin(): void {
    this.#judged.clear()
  }

  take(block: Block, bytes: Uint8Array, atMs: number): void {
    for (const register of block.registers) {
      if (register.evse !== this.evse) continue
      const bits = bitsOf(register, block, bytes)
      const before = this.#bits.get(register)
      if (before?.bits !== bits) this.#bits.set(register, { bits, sinceMs: atMs })
      const sinceMs = before?.bits === bits ? before.sinceMs : atMs
      const value = plausibleValue(register, bits)
      if (value === undefined) this.#judged.set(register, { doubt: 'MODBUS_IMPLAUSIBLE' })
      else if (isStuck(register, bits, atMs - sinceMs)) this.#judged.set(register, { doubt: 'MODBUS_STUCK' })
      else this.#judged.set(register, { value })
    }
  }

  /** Registers that are not believed. */
  doubts(): { readonly register: RegisterConfig; readonly doubt: Doubt }[] {
    return [...this.#judged].flatMap(([register, judged]) =>
      'doubt' in judged ? [{ register, doubt: judged.doubt }] : [],
    )
  }

  /** The round as telemetry; undefined: nothing of it is known. A frozen device's last values look like any others, so its heartbeat decides first. */
  telemetry(atMs: number): Telemetry | undefined {
    const heartbeat = this.#registers.find(({ quantity }) => quantity === 'heartbeat')
    if (heartbeat !== undefined && this.#value(heartbeat) === undefined) return undefined
    const tempC = this.#hottest()
    const powerW = this.#one('power')
    const gridVoltageV = this.#one('voltage')
    const gridFrequencyHz = this.#one('frequency')
    const plcSnrDb = this.#one('snr')
    const contactor = this.#one('contactor')
    const known = {
      ...(tempC !== undefined && { tempC }),
      ...(powerW !== undefined && { powerW }),
      ...(gridVoltageV !== undefined && { gridVoltageV }),
      ...(gridFrequencyHz !== undefined && { gridFrequencyHz }),
      ...(plcSnrDb !== undefined && { plcSnrDb }),
      ...(contactor !== undefined && { contactorClosed: contactor !== 0 }),
    }
    return Object.keys(known).length === 0 ? undefined : { atMs, ...known }
  }

  /** Of all its sensors, or nothing: the one that is not believed may be at the hottest point. */
  #hottest(): number | undefined {
    let hottest: number | undefined
    for (const register of this.#registers) {
      if (register.quantity !== 'temperature') continue
      const value = this.#value(register)
      if (value === undefined) return undefined
      hottest = Math.max(hottest ?? value, value)
    }
    return hottest
  }

  #one(quantity: RegisterConfig['quantity']): number | undefined {
    const register = this.#registers.find((one) => one.quantity === quantity)
    return register && this.#value(register)
  }

  #value(register: RegisterConfig): number | undefined {
    const judged = this.#judged.get(register)
    return judged !== undefined && 'value' in judged ? judged.value : undefined
  }
}

function isStuck(register: RegisterConfig, bits: number, unmovedMs: number): boolean {
  const isHeartbeat = register.quantity === 'heartbeat'
  const stuckMs = register.stuckMs === 0 && isHeartbeat ? HEARTBEAT_STUCK_MS : register.stuckMs
  if (stuckMs === 0 || (bits === 0 && !isHeartbeat)) return false
  return unmovedMs >= stuckMs
}
