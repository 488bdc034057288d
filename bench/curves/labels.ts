/** A value beside its dot; all at one x. */
export interface Dot {
  /** On paper: downwards. */
  readonly y: number
  /** Where its line runs at either end of the text. */
  readonly left: number
  readonly right: number
}

const ABOVE = -13
const BELOW = 15
const LINE_HEIGHT = 13
const HALF_TEXT = 7

export interface Surroundings {
  readonly top: number
  readonly bottom: number
  /** Of lines that run across. */
  readonly across: readonly number[]
}

/** The middle of each dot's text, above or below it: what covers the least of other texts, dots and lines, and stays in the panel. */
export function placeLabels(dots: readonly Dot[], around: Surroundings): number[] {
  let best: number[] = []
  let least = Number.POSITIVE_INFINITY
  for (let choice = 0; choice < 2 ** dots.length; choice++) {
    const places = dots.map(({ y }, i) => y + ((choice >> i) & 1 ? BELOW : ABOVE))
    const cost = costOf(places, dots, around) + places.filter((place, i) => place > dots[i]!.y).length / 10
    if (cost < least) [best, least] = [places, cost]
  }
  return best
}

function costOf(places: readonly number[], dots: readonly Dot[], { top, bottom, across }: Surroundings): number {
  let cost = 0
  for (const [i, place] of places.entries()) {
    if (place > bottom - HALF_TEXT) cost += place > bottom + HALF_TEXT ? 20 : 5
    if (place < top - HALF_TEXT) cost += 5
    for (const other of places.slice(i + 1)) if (Math.abs(other - place) < LINE_HEIGHT) cost += 10
    for (const y of across) if (Math.abs(y - place) < HALF_TEXT) cost += 1
    for (const { y, left, right } of dots) {
      if (Math.abs(y - place) < HALF_TEXT + 4) cost += 8
      for (const end of [left, right]) if (Math.abs(end - place) < HALF_TEXT) cost += 1
    }
  }
  return cost
}
