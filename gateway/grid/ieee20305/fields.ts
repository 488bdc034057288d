import { invalid, SEP_NAMESPACE, type XmlElement } from './xml.ts'

// Reading single fields of IEEE 2030.5 elements, by the types of the schema.

/** Extensions of the Australian profile (CSIP-AUS), in any version. */
const CSIP_AUS = 'https://csipaus.org/ns'

export function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.namespace === SEP_NAMESPACE && child.name === name)
}

export function child(element: XmlElement, name: string): XmlElement | undefined {
  return childrenOf(element, name)[0]
}

export function csipAusChild(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((inner) => inner.namespace.startsWith(CSIP_AUS) && inner.name === name)
}

export function required(element: XmlElement, name: string): XmlElement {
  const found = child(element, name)
  if (found === undefined) throw invalid(`${element.name} has no ${name}`)
  return found
}

export function text(element: XmlElement, name: string): string | undefined {
  return child(element, name)?.text
}

/** The element's own text as a whole number within bounds. */
export function integerOf(element: XmlElement, min: number, max: number): number {
  const value = /^[+-]?\d{1,16}$/.test(element.text) ? Number(element.text) : Number.NaN
  if (!(value >= min && value <= max)) throw invalid(`${element.name} is "${element.text}", not ${min} to ${max}`)
  return value
}

export function integer(element: XmlElement, name: string, min: number, max: number): number | undefined {
  const found = child(element, name)
  return found === undefined ? undefined : integerOf(found, min, max)
}

export function requiredInteger(element: XmlElement, name: string, min: number, max: number): number {
  return integerOf(required(element, name), min, max)
}

export function booleanOf(element: XmlElement): boolean {
  if (element.text === 'true' || element.text === '1') return true
  if (element.text === 'false' || element.text === '0') return false
  throw invalid(`${element.name} is "${element.text}", not true or false`)
}

/** Upper-case hex, of at most `maxBytes`. */
export function hexOf(element: XmlElement, maxBytes: number): string {
  if (!/^([0-9a-fA-F]{2})*$/.test(element.text) || element.text.length > 2 * maxBytes) {
    throw invalid(`${element.name} is no hex of at most ${maxBytes} bytes`)
  }
  return element.text.toUpperCase()
}

/** A link's target, as it stands there. */
export function href(element: XmlElement, name: string): string | undefined {
  return child(element, name)?.attributes.get('href')
}

export function attributeInteger(element: XmlElement, name: string, min: number, max: number): number | undefined {
  const value = element.attributes.get(name)
  if (value === undefined) return undefined
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN
  if (!(number >= min && number <= max)) throw invalid(`${element.name} has ${name}="${value}"`)
  return number
}

export const UINT32_MAX = 0xffff_ffff
/** Of times, seconds: the year 9999. */
export const TIME_MAX = 253_402_300_799
