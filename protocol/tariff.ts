import { readU16, readU32, writeU16, writeU32 } from './bigEndian.ts'
import { MAX_SOC_TOLERANCE_BPS, TARIFF_BYTES } from './limits.ts'

/**
 * How a zone pays in one lane (docs/protocol.md §15.1), 92 bytes:
 * socToleranceBps u16 | maxIncentiveBps u16 | powerW u32 ×4 | session u32 ×4 | tierBps u16 ×16 | thermalC u8 ×8 | thermalBps u16 ×8
 */
export interface Tariff {
  readonly socToleranceBps: number
  readonly maxIncentiveBps: number
  /** Rows of the tier table apply from these average powers, inclusive. */
  readonly powerW: readonly number[]
  /** Columns apply from these session lengths, in intervals, inclusive. */
  readonly sessionIntervals: readonly number[]
  /** 4 × 4, row (power) by row. */
  readonly tierBps: readonly number[]
  /** Steps of the thermal table apply from these temperatures, inclusive. */
  readonly thermalC: readonly number[]
  readonly thermalBps: readonly number[]
}

/** A threshold that no value reaches: fills unused rows. */
export const UNREACHED_U32 = 0xffffffff
export const UNREACHED_TEMP_C = 0xff

/** Fills unused rows. Tables may be given short, not long: missing rows are never reached. */
export function tariffFrom(parts: {
  socToleranceBps: number
  maxIncentiveBps: number
  tiers: { powerW: number[]; sessionIntervals: number[]; bps: number[][] }
  thermal: { fromC: number; bps: number }[]
}): Tariff {
  const { powerW, sessionIntervals, bps } = parts.tiers
  const tierBps: number[] = []
  for (let p = 0; p < 4; p++) for (let s = 0; s < 4; s++) tierBps.push(bps[p]?.[s] ?? 0)
  const pad = (list: number[], length: number, fill: number): number[] => [
    ...list,
    ...Array<number>(Math.max(0, length - list.length)).fill(fill),
  ]
  return {
    socToleranceBps: parts.socToleranceBps,
    maxIncentiveBps: parts.maxIncentiveBps,
    powerW: pad(powerW, 4, UNREACHED_U32),
    sessionIntervals: pad(sessionIntervals, 4, UNREACHED_U32),
    tierBps,
    thermalC: pad(
      parts.thermal.map((step) => step.fromC),
      8,
      UNREACHED_TEMP_C,
    ),
    thermalBps: pad(
      parts.thermal.map((step) => step.bps),
      8,
      0,
    ),
  }
}

/** @throws RangeError for a tariff that L1 would refuse or that does not fit its widths. */
export function encodeTariff(tariff: Tariff): Uint8Array {
  const problem = tariffProblem(tariff)
  if (problem !== undefined) throw new RangeError(problem)
  const bytes = new Uint8Array(TARIFF_BYTES)
  writeU16(bytes, 0, tariff.socToleranceBps)
  writeU16(bytes, 2, tariff.maxIncentiveBps)
  for (let i = 0; i < 4; i++) writeU32(bytes, 4 + 4 * i, tariff.powerW[i]!)
  for (let i = 0; i < 4; i++) writeU32(bytes, 20 + 4 * i, tariff.sessionIntervals[i]!)
  for (let i = 0; i < 16; i++) writeU16(bytes, 36 + 2 * i, tariff.tierBps[i]!)
  for (let i = 0; i < 8; i++) bytes[68 + i] = tariff.thermalC[i]!
  for (let i = 0; i < 8; i++) writeU16(bytes, 76 + 2 * i, tariff.thermalBps[i]!)
  return bytes
}

export function decodeTariff(bytes: Uint8Array): Tariff {
  if (bytes.length !== TARIFF_BYTES) throw new RangeError(`a tariff takes ${TARIFF_BYTES} bytes, not ${bytes.length}`)
  const list = (count: number, read: (i: number) => number): number[] =>
    Array.from({ length: count }, (_, i) => read(i))
  return {
    socToleranceBps: readU16(bytes, 0),
    maxIncentiveBps: readU16(bytes, 2),
    powerW: list(4, (i) => readU32(bytes, 4 + 4 * i)),
    sessionIntervals: list(4, (i) => readU32(bytes, 20 + 4 * i)),
    tierBps: list(16, (i) => readU16(bytes, 36 + 2 * i)),
    thermalC: list(8, (i) => bytes[68 + i]!),
    thermalBps: list(8, (i) => readU16(bytes, 76 + 2 * i)),
  }
}

/** Why L1 would refuse the tariff, or undefined. */
export function tariffProblem(tariff: Tariff): string | undefined {
  for (const [name, values, count, max] of [
    ['socToleranceBps', [tariff.socToleranceBps], 1, 0xffff],
    ['maxIncentiveBps', [tariff.maxIncentiveBps], 1, 0xffff],
    ['powerW', tariff.powerW, 4, 0xffffffff],
    ['sessionIntervals', tariff.sessionIntervals, 4, 0xffffffff],
    ['tierBps', tariff.tierBps, 16, 0xffff],
    ['thermalC', tariff.thermalC, 8, 0xff],
    ['thermalBps', tariff.thermalBps, 8, 0xffff],
  ] as const) {
    if (values.length !== count) return `${name} must have ${count} entries, not ${values.length}`
    const wrong = values.find((value) => !Number.isInteger(value) || value < 0 || value > max)
    if (wrong !== undefined) return `${name} out of range: ${wrong}`
  }
  if (tariff.socToleranceBps >= MAX_SOC_TOLERANCE_BPS) return `socToleranceBps must be below ${MAX_SOC_TOLERANCE_BPS}`
  for (const [name, thresholds] of [
    ['powerW', tariff.powerW],
    ['sessionIntervals', tariff.sessionIntervals],
    ['thermalC', tariff.thermalC],
  ] as const) {
    if (thresholds[0] !== 0) return `${name} must start at 0`
    if (thresholds.some((value, i) => i > 0 && value < thresholds[i - 1]!)) return `${name} must not fall`
  }
  return undefined
}

/** The last row whose threshold ≤ `value`. The first threshold is 0, so there always is one. */
export function lastRowAtMost(thresholds: readonly number[], value: number): number {
  let row = thresholds.length - 1
  while (row > 0 && thresholds[row]! > value) row--
  return row
}
