import { escapeXml, SEP_NAMESPACE } from '../../../gateway/grid/ieee20305/xml.ts'
import type { ScriptedControl, ScriptedEvent, ScriptedPower, ScriptedProgram, ScriptedTariff } from './sepScript.ts'

// IEEE 2030.5 representations by schema 2.1.0. Elements stand in the schema's order, which is by the alphabet within each type.

export type Attributes = Readonly<Record<string, string | number | undefined>>

export function document(name: string, attributes: Attributes, inner: string): string {
  const all = { xmlns: SEP_NAMESPACE, ...attributes }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(name, all, inner)}`
}

export function element(name: string, attributes: Attributes, inner = ''): string {
  const shown = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escapeXml(String(value))}"`)
  return `<${name}${shown.join('')}>${inner}</${name}>`
}

/** Elements with text; undefined ones are left out. */
export function fields(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => element(name, {}, escapeXml(String(value))))
    .join('')
}

export function link(name: string, href: string, all?: number): string {
  return element(name, { all, href })
}

export function timeXml(now: number): string {
  return document(
    'Time',
    { href: '/tm', pollRate: 900 },
    fields({ currentTime: now, dstEndTime: 0, dstOffset: 0, dstStartTime: 0, quality: 3, tzOffset: 0 }),
  )
}

export function programXml(program: ScriptedProgram, path: string): string {
  return element(
    'DERProgram',
    { href: path },
    fields({ mRID: program.mrid, description: program.description }) +
      link('ActiveDERControlListLink', `${path}/actderc`) +
      (program.defaults === undefined ? '' : link('DefaultDERControlLink', `${path}/dderc`)) +
      link('DERControlListLink', `${path}/derc`, program.controls.length) +
      fields({ primacy: program.primacy }),
  )
}

export function controlXml(control: ScriptedControl, path: string, now: number): string {
  return element(
    'DERControl',
    eventAttributes(control, path),
    eventFields(control, now) +
      element('DERControlBase', {}, setPointsXml(control.base)) +
      fields({ deviceCategory: control.deviceCategory }),
  )
}

export function setPointsXml(base: ScriptedControl['base']): string {
  const { opModConnect, opModEnergize, opModFixedW, opModMaxLimW, opModTargetW, opModExpLimW } = base
  return (
    fields({ opModConnect, opModEnergize, opModFixedW, opModMaxLimW }) +
    (opModTargetW === undefined ? '' : element('opModTargetW', {}, powerFields(opModTargetW))) +
    // An extension of the Australian profile, as its servers send it; the standard's schema does not know it.
    (opModExpLimW === undefined
      ? ''
      : element('csipaus:opModExpLimW', { 'xmlns:csipaus': 'https://csipaus.org/ns/v1.3' }, powerFields(opModExpLimW)))
  )
}

function powerFields({ multiplier, value }: ScriptedPower): string {
  return fields({ multiplier, value })
}

export function tariffXml(tariff: ScriptedTariff, path: string): string {
  return element(
    'TariffProfile',
    { href: path },
    fields({
      mRID: tariff.mrid,
      currency: tariff.currency,
      pricePowerOfTenMultiplier: tariff.pricePowerOfTen,
      primacy: tariff.primacy,
    }) +
      link('RateComponentListLink', `${path}/rc`, 1) +
      fields({ serviceCategoryKind: 0 }),
  )
}

export function rateComponentXml(tariff: ScriptedTariff, path: string): string {
  return element(
    'RateComponent',
    { href: `${path}/rc/0` },
    fields({ mRID: tariff.componentMrid }) +
      link('ReadingTypeLink', `${path}/rt`) +
      fields({ roleFlags: '0008' }) +
      link('TimeTariffIntervalListLink', `${path}/rc/0/tti`, tariff.intervals.length),
  )
}

export function tariffIntervalXml(event: ScriptedEvent, path: string, now: number): string {
  return element(
    'TimeTariffInterval',
    eventAttributes(event, path),
    eventFields(event, now) + link('ConsumptionTariffIntervalListLink', `${path}/cti`, 1) + fields({ touTier: 0 }),
  )
}

function eventAttributes(event: ScriptedEvent, path: string): Attributes {
  return { href: path, replyTo: event.replyTo, responseRequired: event.responseRequired }
}

function eventFields(event: ScriptedEvent, now: number): string {
  const { code, time } = statusOf(event, now)
  return (
    fields({ mRID: event.mrid, description: event.description, creationTime: event.creationTime }) +
    element('EventStatus', {}, fields({ currentStatus: code, dateTime: time, potentiallySuperseded: false })) +
    element('interval', {}, fields({ duration: event.duration, start: event.start })) +
    fields({ randomizeDuration: event.randomizeDuration, randomizeStart: event.randomizeStart })
  )
}

/** A cancelled or superseded event keeps that status; others are scheduled until they start. */
export function statusOf(event: ScriptedEvent, now: number): { code: number; time: number } {
  if (event.ended !== undefined) return { code: event.ended.status, time: event.ended.at }
  if (now >= event.start) return { code: 1, time: event.start }
  return { code: 0, time: Math.min(event.creationTime, now) }
}
