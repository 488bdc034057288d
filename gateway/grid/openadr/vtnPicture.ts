import type { SourceProblem } from '../../sourceStatus.ts'
import type {
  Control,
  ControlKind,
  EventState,
  GridEvent,
  GridPicture,
  PriceInterval,
  Span,
} from '../model/gridEvent.ts'
import { type AttoPerWh, type PriceUnit, parsePriceFloor } from '../model/price.ts'
import { randomWithin } from '../model/randomWithin.ts'
import { sweep } from '../model/sweep.ts'
import type { OpenadrConfig } from './config.ts'
import type { PayloadDescriptor, Program, VtnEvent } from './schema.ts'
import { timelineOf } from './timeline.ts'

const PRICE_UNITS: Readonly<Record<string, PriceUnit>> = { KWH: 'kWh', MWH: 'MWh', WH: 'Wh' }
const WATTS: Readonly<Record<string, number>> = { W: 1, KW: 1_000, MW: 1_000_000 }
/** Their being there says that the grid is under stress. */
const STRESS_TYPES = ['ALERT_GRID_EMERGENCY', 'ALERT_FLEX_ALERT']
/** Below every priority that an event can have. */
const NO_PRIORITY = 2 ** 31

export interface VtnObjects {
  readonly programs: readonly Program[]
  readonly events: readonly VtnEvent[]
}

type Rules = Pick<
  OpenadrConfig,
  'name' | 'programs' | 'targets' | 'priceTypes' | 'currency' | 'pricesOpenGate' | 'setpointSign'
>

interface RankedPrice extends Span {
  readonly attoPerWh: AttoPerWh
  readonly typeRank: number
  readonly priority: number
  readonly modified: string
}

/**
 * What a VTN's events mean for prices and control. Pure. An event is taken back by deleting it: it is then not among them. Of prices that overlap
 * the one of the more trusted type counts, then of the higher priority (lower number), then the one changed last.
 */
export function vtnPicture(
  objects: VtnObjects,
  rules: Rules,
  at: { nowSeconds: number; window: Span },
): { picture: GridPicture; problems: SourceProblem[] } {
  const problems: SourceProblem[] = []
  const programs = new Map(
    objects.programs.filter((program) => isOurs(program, rules)).map((found) => [found.id, found]),
  )
  const events: GridEvent[] = []
  const ranked: RankedPrice[] = []
  for (const event of objects.events) {
    const program = programs.get(event.programID)
    if (program === undefined || !isForUs(event, rules)) continue
    const reading = new EventReading(event, program, rules, problems)
    const timeline = timelineOf(event, program.intervalPeriod, at.window)
    if (typeof timeline === 'string') {
      problems.push({ code: 'EVENT_REFUSED', message: `event ${event.id}: ${timeline}` })
      continue
    }
    const shift = randomWithin(timeline.randomizeStartSeconds, `${rules.name}/${event.id}/start`)
    const controls: Control[] = []
    for (const span of timeline.intervals) {
      const nominal = { start: span.start, end: span.end }
      for (const payload of span.interval.payloads) {
        const price = reading.price(payload)
        if (price !== undefined) ranked.push({ ...nominal, ...price })
        const setPoint = reading.setPoint(payload)
        if (setPoint === undefined) continue
        const effective = { start: Math.min(span.start + shift, span.end), end: span.end }
        controls.push({ kind: setPoint[0], value: setPoint[1], nominal, effective })
      }
    }
    if (controls.length > 0) {
      events.push({
        source: rules.name,
        id: event.id,
        description: event.eventName ?? undefined,
        state: stateOf(controls, at.nowSeconds),
        primacy: event.priority ?? NO_PRIORITY,
        controls,
      })
    }
  }
  const best = sweep(ranked.sort(strongerFirst), ([strongest]) => strongest)
  const prices = best.map(
    ({ start, end, value }): PriceInterval => ({
      start,
      end,
      attoPerWh: value.attoPerWh,
      opensGate: rules.pricesOpenGate,
    }),
  )
  return { picture: { isKnown: true, events, prices }, problems }
}

/** Reads an event's payloads by its descriptors, or its program's. Each kind of trouble is told once an event. */
class EventReading {
  readonly #event: VtnEvent
  readonly #descriptors: ReadonlyMap<string, PayloadDescriptor>
  readonly #rules: Rules
  readonly #problems: SourceProblem[]
  readonly #told = new Set<string>()

  constructor(event: VtnEvent, program: Program, rules: Rules, problems: SourceProblem[]) {
    this.#event = event
    this.#rules = rules
    this.#problems = problems
    this.#descriptors = new Map(
      [...(program.payloadDescriptors ?? []), ...(event.payloadDescriptors ?? [])].map((found) => [
        found.payloadType,
        found,
      ]),
    )
  }

  price(payload: { type: string; values: unknown[] }): Omit<RankedPrice, keyof Span> | undefined {
    const typeRank = (this.#rules.priceTypes as readonly string[]).indexOf(payload.type)
    if (typeRank < 0) return undefined
    const descriptor = this.#descriptors.get(payload.type)
    const unit = PRICE_UNITS[descriptor?.units?.toUpperCase() ?? '']
    if (unit === undefined) {
      return this.#refuse(
        'PRICE_UNIT_UNKNOWN',
        `${payload.type} is in "${descriptor?.units ?? ''}", not KWH, MWH or WH`,
      )
    }
    if (descriptor?.currency !== this.#rules.currency) {
      const given = descriptor?.currency ?? 'no currency'
      return this.#refuse('PRICE_CURRENCY_MISMATCH', `${payload.type} is in ${given}, not ${this.#rules.currency}`)
    }
    const text = decimalText(payload.values[0])
    const attoPerWh = text === undefined ? undefined : parsePriceFloor(text, unit)
    if (attoPerWh === undefined) return this.#refuse('EVENT_REFUSED', `${payload.type} has no decimal value`)
    const { priority, modificationDateTime, createdDateTime } = this.#event
    const modified = modificationDateTime ?? createdDateTime ?? ''
    return { attoPerWh, typeRank, priority: priority ?? NO_PRIORITY, modified }
  }

  setPoint(payload: { type: string; values: unknown[] }): [ControlKind, number] | undefined {
    const { type, values } = payload
    if (STRESS_TYPES.includes(type)) return ['gate', 1]
    if (type === 'SIMPLE') {
      const [level] = values
      if (typeof level === 'number' && Number.isInteger(level) && level >= 0) return ['gate', level]
      return this.#refuse('EVENT_REFUSED', 'SIMPLE has no level')
    }
    if (type === 'EXPORT_CAPACITY_LIMIT') return this.#power('exportLimitW', payload, 1)
    if (type !== 'DISPATCH_SETPOINT' || this.#rules.setpointSign === 'ignore') return undefined
    return this.#power('targetW', payload, this.#rules.setpointSign === 'export-positive' ? 1 : -1)
  }

  #power(
    kind: ControlKind,
    payload: { type: string; values: unknown[] },
    sign: 1 | -1,
  ): [ControlKind, number] | undefined {
    const watts = WATTS[this.#descriptors.get(payload.type)?.units?.toUpperCase() ?? '']
    const [value] = payload.values
    if (watts === undefined) return this.#refuse('EVENT_REFUSED', `${payload.type} has no unit of power (W, KW, MW)`)
    if (typeof value !== 'number') return this.#refuse('EVENT_REFUSED', `${payload.type} has no value`)
    return [kind, Math.trunc(value * watts) * sign]
  }

  #refuse(code: string, why: string): undefined {
    if (!this.#told.has(code)) this.#problems.push({ code, message: `event ${this.#event.id}: ${why}` })
    this.#told.add(code)
    return undefined
  }
}

function isOurs(program: Program, rules: Rules): boolean {
  return (
    rules.programs.length === 0 || rules.programs.includes(program.programName) || rules.programs.includes(program.id)
  )
}

function isForUs(event: VtnEvent, rules: Rules): boolean {
  const targets = (event.targets ?? []).flatMap((target) => (typeof target === 'string' ? [target] : target.values))
  if (targets.length === 0 || rules.targets.length === 0) return true
  return targets.some((target) => typeof target === 'string' && rules.targets.includes(target))
}

function stateOf(controls: readonly Control[], nowSeconds: number): EventState {
  if (controls.every(({ effective }) => effective.end <= nowSeconds)) return 'completed'
  return controls.some(({ effective }) => effective.start <= nowSeconds) ? 'active' : 'scheduled'
}

function strongerFirst(a: RankedPrice, b: RankedPrice): number {
  if (a.typeRank !== b.typeRank) return a.typeRank - b.typeRank
  if (a.priority !== b.priority) return a.priority - b.priority
  return a.modified < b.modified ? 1 : a.modified > b.modified ? -1 : 0
}

/**
 * The decimal that the VTN wrote: a number of JSON is a double here, whose shortest text is what stood there for up to 15 digits.
 * Texts are taken as they are.
 */
function decimalText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined
  const text = String(value)
  if (!text.includes('e')) return text
  return Math.abs(value) < 1 ? value.toFixed(20) : undefined
}
