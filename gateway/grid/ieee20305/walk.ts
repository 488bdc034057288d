import { BackfeedError } from '../../../runtime/errors.ts'
import type { SourceProblem } from '../../sourceStatus.ts'
import type { PriceInterval } from '../model/gridEvent.ts'
import { sweep } from '../model/sweep.ts'
import { href } from './fields.ts'
import type { ProgramControls } from './eventRules.ts'
import type { DeviceId } from './identity.ts'
import {
  firstBlockPrice,
  type PricedComponent,
  readingTypeOf,
  type TariffInterval,
  tariffIntervalOf,
  tariffPrices,
  type TariffProfile,
  tariffProfileOf,
} from './pricing.ts'
import {
  currentTimeOf,
  type DerControl,
  defaultControlOf,
  derControlOf,
  type DerProgram,
  derProgramOf,
  endDeviceOf,
  EventStatus,
  type FunctionSets,
  functionSetsOf,
  pollRateOf,
  requireName,
  type SetPoint,
} from './resources.ts'
import type { ResourceCache } from './resourceCache.ts'
import type { SepClient } from './sepClient.ts'
import type { XmlElement } from './xml.ts'

export interface WalkRules {
  /** Path of the DeviceCapability resource. */
  readonly start: string
  readonly device: DeviceId
  /** Bits of the kinds of device that we are. */
  readonly deviceCategory: number
  /** ISO 4217 number of the settlement token's currency. */
  readonly currency: number
  /** FlowDirection of the prices that are paid for a discharge. */
  readonly flowDirection: number
}

export interface SepView {
  /** The server's clock less ours, seconds; undefined: it has none. */
  readonly offsetSeconds: number | undefined
  readonly programs: readonly (ProgramControls & {
    readonly defaults: readonly SetPoint[]
    readonly description: string | undefined
  })[]
  readonly prices: readonly PriceInterval[]
  readonly problems: readonly SourceProblem[]
}

/** From the server's entry point to everything that concerns us, as far as it is due to be asked for again. */
export class Walk {
  readonly #client: SepClient
  readonly #cache: ResourceCache
  readonly #rules: WalkRules
  readonly #now: () => number
  readonly #problems: SourceProblem[] = []

  constructor(parts: { client: SepClient; cache: ResourceCache; rules: WalkRules; now: () => number }) {
    this.#client = parts.client
    this.#cache = parts.cache
    this.#rules = parts.rules
    this.#now = parts.now
  }

  async run(): Promise<SepView> {
    this.#cache.beginWalk()
    const entry = await this.#one(this.#rules.start, 'DeviceCapability')
    const own = functionSetsOf(entry)
    const assigned = await this.#assignments(href(entry, 'EndDeviceListLink'))
    // Programs that are given to our device count; those of the entry point are for servers that assign none.
    const sets = assigned.length > 0 ? assigned : [own]
    const timeLink = sets.map(({ time }) => time).find((link) => link !== undefined) ?? own.time
    const offsetSeconds = timeLink === undefined ? undefined : await this.#offset(timeLink)
    const programs: SepView['programs'][number][] = []
    for (const link of distinct(sets.map((set) => set.programs))) {
      for (const element of await this.#list(link, 'DERProgram'))
        programs.push(await this.#program(derProgramOf(element)))
    }
    const layers: PriceInterval[] = []
    const tariffs: TariffProfile[] = []
    for (const link of distinct(sets.map((set) => set.tariffs))) {
      tariffs.push(...(await this.#list(link, 'TariffProfile')).map(tariffProfileOf))
    }
    for (const tariff of tariffs.sort((a, b) => a.primacy - b.primacy)) layers.push(...(await this.#tariff(tariff)))
    // The first tariff, by primacy, that has a price decides.
    const prices = sweep(layers, ([strongest]) => strongest).map(({ start, end, value }) => ({ ...value, start, end }))
    return { offsetSeconds, programs, prices, problems: this.#problems }
  }

  async #assignments(link: string | undefined): Promise<FunctionSets[]> {
    if (link === undefined) return []
    const { device } = this.#rules
    const devices = (await this.#list(link, 'EndDevice')).map(endDeviceOf)
    const own = devices.find(({ lfdi, sfdi }) => (lfdi === undefined ? sfdi === device.sfdi : lfdi === device.lfdi))
    if (own === undefined) {
      throw new BackfeedError('GRID_NOT_REGISTERED', `the server knows no device with LFDI ${device.lfdi}`, {
        retryable: true,
      })
    }
    if (!own.isEnabled) {
      throw new BackfeedError('GRID_NOT_REGISTERED', `the server has device ${device.lfdi} disabled`, {
        retryable: true,
      })
    }
    if (own.assignments === undefined) return []
    return (await this.#list(own.assignments, 'FunctionSetAssignments')).map(functionSetsOf)
  }

  async #program(program: DerProgram): Promise<SepView['programs'][number]> {
    const { mrid, primacy, description } = program
    const byMrid = new Map<string, DerControl>()
    // The active list may hold what the full one no longer does, and says "active" first.
    for (const link of distinct([program.controls, program.activeControls])) {
      for (const element of await this.#list(link, 'DERControl')) {
        const control = this.#readControl(element)
        if (control !== undefined) byMrid.set(control.mrid, newer(byMrid.get(control.mrid), control))
      }
    }
    const link = program.defaultControl
    const defaults = link === undefined ? [] : defaultControlOf(await this.#one(link, 'DefaultDERControl')).setPoints
    return { program: { mrid, primacy }, description, defaults, controls: [...byMrid.values()] }
  }

  /** One event that cannot be read must not hide the others. */
  #readControl(element: XmlElement): DerControl | undefined {
    let control: DerControl
    try {
      control = derControlOf(element)
    } catch (error) {
      this.#refuse(`a DERControl cannot be read: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
    const { deviceCategory, status } = control
    if (deviceCategory !== undefined && (deviceCategory & this.#rules.deviceCategory) === 0) return undefined
    if (status > EventStatus.superseded) {
      this.#refuse(`DERControl ${control.mrid} has status ${status}, which the standard does not know`)
      return undefined
    }
    return control
  }

  async #tariff(profile: TariffProfile): Promise<PriceInterval[]> {
    const { currency, flowDirection } = this.#rules
    if (!profile.isElectricity || profile.rateComponents === undefined) return []
    if (profile.currency !== currency) {
      this.#problems.push({
        code: 'PRICE_CURRENCY_MISMATCH',
        message: `tariff ${profile.mrid} is in currency ${profile.currency}, not ${currency}`,
      })
      return []
    }
    const components: PricedComponent[] = []
    for (const component of await this.#list(profile.rateComponents, 'RateComponent')) {
      const readingTypeLink = href(component, 'ReadingTypeLink')
      const intervalsLink = href(component, 'TimeTariffIntervalListLink')
      if (readingTypeLink === undefined || intervalsLink === undefined) continue
      const readingType = readingTypeOf(await this.#one(readingTypeLink, 'ReadingType'))
      if (!readingType.isEnergy || readingType.flowDirection !== flowDirection) continue
      const intervals: PricedComponent['intervals'][number][] = []
      for (const element of await this.#list(intervalsLink, 'TimeTariffInterval')) {
        const event = this.#readInterval(element)
        if (event !== undefined) intervals.push({ event, price: await this.#blockPrice(event.blocks, event.mrid) })
      }
      components.push({ readingType, intervals })
    }
    return tariffPrices(profile, components)
  }

  #readInterval(element: XmlElement): TariffInterval | undefined {
    try {
      return tariffIntervalOf(element)
    } catch (error) {
      this.#refuse(`a TimeTariffInterval cannot be read: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  async #blockPrice(link: string | undefined, mrid: string): Promise<number | undefined> {
    if (link === undefined) return undefined
    const { price, isBlockTariff } = firstBlockPrice(await this.#list(link, 'ConsumptionTariffInterval'))
    if (!isBlockTariff) return price
    // Which block a discharge falls into depends on a meter that we do not see.
    this.#problems.push({
      code: 'PRICE_BLOCKS',
      message: `interval ${mrid} has a price by consumption: it is not used`,
    })
    return undefined
  }

  async #offset(link: string): Promise<number> {
    return await this.#cache.get(link, async () => {
      const beforeMs = this.#now()
      const element = await this.#client.get(link)
      const middleMs = (beforeMs + this.#now()) / 2
      // The server says whole seconds: half of one is the best guess at the rest.
      return { value: currentTimeOf(element) + 0.5 - middleMs / 1000, pollSeconds: pollRateOf(element) }
    })
  }

  async #one(link: string, name: string): Promise<XmlElement> {
    return await this.#cache.get(link, async () => {
      const element = await this.#client.get(link)
      requireName(element, name)
      return { value: element, pollSeconds: pollRateOf(element) }
    })
  }

  async #list(link: string, entry: string): Promise<readonly XmlElement[]> {
    return await this.#cache.get(link, async () => {
      const { entries, pollRate } = await this.#client.list(link, entry)
      return { value: entries, pollSeconds: pollRate }
    })
  }

  #refuse(message: string): void {
    this.#problems.push({ code: 'EVENT_REFUSED', message })
  }
}

/** Of two readings of one event, the one whose status is newer. */
function newer(known: DerControl | undefined, read: DerControl): DerControl {
  return known !== undefined && known.statusTime > read.statusTime ? known : read
}

function distinct(links: readonly (string | undefined)[]): string[] {
  return [...new Set(links.filter((link) => link !== undefined))]
}
