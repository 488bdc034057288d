/** From values to places on a drawing. */
export interface Scale {
  readonly ticks: readonly number[]
  at(value: number): number
}

/** Where the lowest and the highest value lie; on paper the first may be the larger. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** From nothing to `max`, with round numbers between. */
export function fromZero(max: number, span: Span, tickCount: number): Scale {
  const step = roundAbove(max / tickCount)
  return {
    ticks: Array.from({ length: Math.floor(max / step + 1e-9) + 1 }, (_, i) => i * step),
    at: (value) => span.from + ((span.to - span.from) * Math.min(Math.max(value, 0), max)) / max,
  }
}

/** By logarithms, between round numbers around positive values. */
export function logarithmic(values: readonly number[], span: Span): Scale {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const isWide = most / least > 300
  const bottom = isWide ? times(1, Math.floor(Math.log10(least))) : roundBelow(least)
  const top = roundAbove(most)
  const places = Math.log10(top / bottom)
  const all = [bottom]
  while (all.at(-1)! < top * 0.999) all.push(roundAbove(all.at(-1)! * 1.01))
  return {
    ticks: isWide ? all.filter((tick) => Number.isInteger(Math.log10(tick))) : all,
    at: (value) => span.from + ((span.to - span.from) * Math.log10(Math.max(value, bottom) / bottom)) / places,
  }
}

/** The values themselves, first to last over the whole span: by their logarithms, or evenly. */
export function through(values: readonly number[], isLog: boolean, span: Span): Scale {
  const measured = isLog ? Math.log : (value: number): number => value
  const first = measured(values[0]!)
  const last = measured(values.at(-1)!)
  return {
    ticks: values,
    at: (value) => span.from + ((span.to - span.from) * (measured(value) - first)) / (last - first),
  }
}

/** 1, 2 or 5 times a power of ten, not below `value`. */
function roundAbove(value: number): number {
  const power = Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((step) => times(step, power)).find((step) => step >= value * (1 - 1e-9))!
}

/** The same, not above. */
function roundBelow(value: number): number {
  const power = Math.floor(Math.log10(value))
  return [5, 2, 1].map((step) => times(step, power)).find((step) => step <= value * (1 + 1e-9))!
}

/** As it is written: 0.5, not what a product of binary fractions comes to. */
const times = (step: number, power: number): number => Number(`${step}e${power}`)

/** Three digits at most: 0.91, 7.4, 159 k, 1 M. */
export function short(value: number): string {
  if (Math.abs(value) >= 999_500) return `${digits(value / 1e6)} M`
  if (Math.abs(value) >= 999.5) return `${digits(value / 1e3)} k`
  return digits(value)
}

/** All digits: 1,024; of round thousands as short. */
export const exact = (value: number): string => (value % 1_000 === 0 ? short(value) : value.toLocaleString('en-US'))

const digits = (value: number): string => {
  if (Math.abs(value) < 0.095) return String(Number(value.toPrecision(2)))
  return String(Number(value.toFixed(Math.abs(value) >= 99.5 ? 0 : Math.abs(value) >= 9.95 ? 1 : 2)))
}
