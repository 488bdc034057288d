import type { PriceInterval } from '../model/gridEvent.ts'
import { scaledPriceFloor } from '../model/price.ts'
import { sweep } from '../model/sweep.ts'
import { child, href, integer, requiredInteger } from './fields.ts'
import { EventStatus, mridOf, type SepEvent, sepEventOf } from './resources.ts'
import type { XmlElement } from './xml.ts'

const ELECTRICITY = 0
const UOM_WATT_HOURS = 72

/** Of the energy that a price is for (FlowDirectionType). */
export const FlowDirection = { none: 0, forward: 1, reverse: 19 } as const

export interface TariffProfile {
  readonly mrid: string
  readonly primacy: number
  /** ISO 4217 number; 0: not said. */
  readonly currency: number
  readonly powerOfTen: number
  readonly isElectricity: boolean
  readonly rateComponents: string | undefined
}

export function tariffProfileOf(element: XmlElement): TariffProfile {
  return {
    mrid: mridOf(element),
    primacy: requiredInteger(element, 'primacy', 0, 255),
    currency: integer(element, 'currency', 0, 65_535) ?? 0,
    powerOfTen: integer(element, 'pricePowerOfTenMultiplier', -128, 127) ?? 0,
    isElectricity: requiredInteger(element, 'serviceCategoryKind', 0, 255) === ELECTRICITY,
    rateComponents: href(element, 'RateComponentListLink'),
  }
}

export interface ReadingType {
  readonly flowDirection: number
  /** Wh are 0, kWh 3. */
  readonly powerOfTen: number
  readonly isEnergy: boolean
}

export function readingTypeOf(element: XmlElement): ReadingType {
  return {
    flowDirection: integer(element, 'flowDirection', 0, 255) ?? FlowDirection.none,
    powerOfTen: integer(element, 'powerOfTenMultiplier', -128, 127) ?? 0,
    isEnergy: integer(element, 'uom', 0, 255) === UOM_WATT_HOURS,
  }
}

export interface TariffInterval extends SepEvent {
  readonly blocks: string | undefined
}

export function tariffIntervalOf(element: XmlElement): TariffInterval {
  return { ...sepEventOf(element), blocks: href(element, 'ConsumptionTariffIntervalListLink') }
}

/** Price of the first block (from the first watt-hour of the billing period on), in the profile's units. Undefined: none given. */
export function firstBlockPrice(blocks: readonly XmlElement[]): { price: number | undefined; isBlockTariff: boolean } {
  const first = blocks.find((block) => requiredInteger(block, 'startValue', 0, 2 ** 48) === 0)
  const price = first === undefined ? undefined : child(first, 'price')
  return {
    price: price === undefined ? undefined : requiredInteger(first!, 'price', -(2 ** 31), 2 ** 31 - 1),
    isBlockTariff: blocks.length > 1,
  }
}

/** One component of a rate: what is paid for it in which interval. */
export interface PricedComponent {
  readonly readingType: ReadingType
  readonly intervals: readonly { readonly event: SepEvent; readonly price: number | undefined }[]
}

/**
 * Price over time of a tariff: in every interval the sum of its components, each by its newest interval there. Where one of them has
 * no price there is none.
 */
export function tariffPrices(profile: TariffProfile, components: readonly PricedComponent[]): PriceInterval[] {
  const items = components.flatMap(({ readingType, intervals }, component) =>
    intervals
      .map(({ event, price }) => ({
        ...liveSpan(event),
        component,
        creationTime: event.creationTime,
        price: price === undefined ? undefined : scaledPriceFloor(price, profile.powerOfTen - readingType.powerOfTen),
      }))
      .sort((a, b) => b.creationTime - a.creationTime),
  )
  const pieces = sweep(items, (covering) => {
    let sum = 0n
    for (let component = 0; component < components.length; component++) {
      const price = covering.find((item) => item.component === component)?.price
      if (price === undefined) return undefined
      sum += price
    }
    return { sum }
  })
  return pieces.map(({ start, end, value }) => ({ start, end, attoPerWh: value.sum, opensGate: true }))
}

/** Randomisation is for loads; a price counts as announced. */
function liveSpan(event: SepEvent): { start: number; end: number } {
  const { start, end } = event.interval
  const isOver = event.status >= EventStatus.cancelled && event.status <= EventStatus.superseded
  return { start, end: isOver ? Math.max(start, Math.min(end, event.statusTime)) : end }
}
