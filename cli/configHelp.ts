import { z } from 'zod'

/** Every key of a configuration with its default and what it means, for `--help`. */
export function configHelp(schema: z.ZodObject): string {
  const lines = describeSection(schema, [])
  return `\nKeys of the configuration file:\n${lines.join('\n')}\n`
}

const INDENT = 40

function describeSection(section: z.ZodObject, path: readonly string[]): string[] {
  return Object.entries(section.shape).flatMap(([key, field]) => {
    const here = [...path, key]
    const { inner, fallback, text } = unwrap(field as z.ZodType)
    if (inner instanceof z.ZodObject) return describeSection(inner, here)
    const element = inner instanceof z.ZodArray ? unwrap(inner.element as z.ZodType).inner : undefined
    if (element instanceof z.ZodObject) return describeSection(element, [...path, `${key}[]`])
    const head = `  ${here.join('.')}`.padEnd(INDENT)
    const value = fallback === undefined ? '' : `${JSON.stringify(fallback)}  `
    return [`${head} ${value}${text}`.trimEnd()]
  })
}

function unwrap(field: z.ZodType): { inner: z.ZodType; fallback: unknown; text: string } {
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
  const note = fallback !== undefined ? '' : isOptional ? '(optional) ' : '(required) '
  return { inner, fallback, text: `${note}${text}`.trim() }
}
