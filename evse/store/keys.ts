import { MAX_KEY_CHARS } from '../limits.ts'

const KEY = /^[\x21-\x7e]+$/

/** @throws RangeError for what is no key: printable ASCII without spaces, so that the order of keys is the order of their characters. */
export function checkKey(key: string): void {
  if (key.length > MAX_KEY_CHARS || !KEY.test(key)) throw new RangeError(`no key: ${JSON.stringify(key.slice(0, 80))}`)
}

/** A number up to 2^32 − 1 in a key: 8 hex digits, in the order of the numbers. */
export function keyU32(value: number): string {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw new RangeError(`no u32: ${value}`)
  return value.toString(16).padStart(8, '0')
}

/** A number up to 2^53 − 1 in a key, milliseconds for instance: 14 hex digits, in the order of the numbers. */
export function keyU53(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`no u53: ${value}`)
  return value.toString(16).padStart(14, '0')
}

/** A name that may hold anything (of an EVSE, a transaction) in a key: no slash, no space, nothing outside ASCII; two names never share one. */
export function keyText(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}
