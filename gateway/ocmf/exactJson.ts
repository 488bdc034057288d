/** A JSON number as it was written: a meter's digits do not pass through a float. */
export class NumberText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Json = null | boolean | string | NumberText | readonly Json[] | { readonly [key: string]: Json }

/** JSON.parse, with numbers as they were written. @throws SyntaxError; RangeError when it is nested too deeply */
export function parseExact(text: string): Json {
  // The reviver's third argument has the source text (ECMAScript 2026); the library's types do not know it yet.
  const reviver = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' ? new NumberText(context?.source ?? String(value)) : value
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown) as Json
}

export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberText)
}

/** Text of a string or number, trimmed; undefined for anything else and for nothing. Own keys only. */
export function textOf(object: { readonly [key: string]: Json }, key: string): string | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined
  const text = typeof value === 'string' ? value.trim() : value instanceof NumberText ? value.text : ''
  return text === '' ? undefined : text
}

/**
 * Where the JSON object that begins at or after `from` ends (one past its brace), spaces before it skipped. `latin1` has one character a byte.
 * -1 when no object begins there or it does not end.
 */
export function endOfObject(latin1: string, from: number): number {
  let at = from
  while (at < latin1.length && ' \t\r\n'.includes(latin1[at]!)) at++
  if (latin1[at] !== '{') return -1
  let depth = 0
  for (; at < latin1.length; at++) {
    const char = latin1[at]
    if (char === '"') {
      at = endOfString(latin1, at)
      if (at < 0) return -1
    } else if (char === '{' || char === '[') depth++
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1
  }
  return -1
}

/** Index of the closing quote. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  return -1
}
