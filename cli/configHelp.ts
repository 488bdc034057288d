import { z } from 'zod'

/** One key of a configuration. */
export interface ConfigKey {
  /** `ocpp.stations[].id`: `[]` marks a list of tables. */
  readonly path: string
  /** Undefined: it has none. */
  readonly fallback: unknown
  readonly isRequired: boolean
  /** What it means, with its unit. */
  readonly text: string
}

/** Every key of a configuration with its default and what it means, for `--help`. */
export function configHelp(schema: z.ZodObject): string {
  const lines = configKeys(schema).map(({ path, fallback, isRequired, text }) => {
    const value = fallback !== undefined ? JSON.stringify(fallback) : isRequired ? '(required)' : '(optional)'
    const gap = fallback === undefined ? ' ' : '  '
    return `${`  ${path}`.padEnd(INDENT)} ${value}${gap}${text}`.trimEnd()
  })
  return `\nKeys of the configuration file:\n${lines.join('\n')}\n`
}

const INDENT = 40

export function configKeys(section: z.ZodObject, path: readonly string[] = []): ConfigKey[] {
  return Object.entries(section.shape).flatMap(([key, field]) => {
    const here = [...path, key]
    const { inner, fallback, isOptional, text } = unwrap(field as z.ZodType)
    if (inner instanceof z.ZodObject) return configKeys(inner, here)
    if (inner instanceof z.ZodDiscriminatedUnion && fallback === undefined) return keysOfKinds(inner, here)
    const element = inner instanceof z.ZodArray ? unwrap(inner.element as z.ZodType).inner : undefined
    if (element instanceof z.ZodObject) return configKeys(element, [...path, `${key}[]`])
    return [{ path: here.join('.'), fallback, isRequired: fallback === undefined && !isOptional, text }]
  })
}

/** The keys of all kinds; one that several kinds have is told once, with what it means to each. */
function keysOfKinds(union: z.ZodDiscriminatedUnion, path: readonly string[]): ConfigKey[] {
  const keys = new Map<string, ConfigKey>()
  for (const kind of union.options) {
    for (const key of configKeys(kind as z.ZodObject, path)) {
      const same = keys.get(key.path)
      keys.set(key.path, same === undefined ? key : { ...same, text: `${same.text} ${key.text}` })
    }
  }
  return [...keys.values()]
}

function unwrap(field: z.ZodType): { inner: z.ZodType; fallback: unknown; isOptional: boolean; text: string } {
  let inner: z.ZodType = field
  let fallback: unknown
  let text = field.description ?? ''
  let isOptional = false
  for (;;) {
    if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) fallback ??= inner.def.defaultValue
    else if (inner instanceof z.ZodOptional) isOptional = true
    else break
    inner = inner.def.innerType as z.ZodType
    if (text === '') text = inner.description ?? ''
  }
  return { inner, fallback, isOptional, text }
}
