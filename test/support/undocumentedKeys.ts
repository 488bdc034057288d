import type { z } from 'zod'
import { configKeys } from '../../cli/configHelp.ts'

/** Rows that the documentation of a configuration should have and has not: each key with its default and what it means, word for word. */
export function undocumentedKeys(schema: z.ZodObject, doc: string, isMeant: (path: string) => boolean): string[] {
  const rows = new Set(doc.split('\n'))
  return configKeys(schema)
    .filter(({ path }) => isMeant(path))
    .map(({ path, fallback, isRequired, text }) => {
      const shown = fallback !== undefined ? `\`${JSON.stringify(fallback)}\`` : isRequired ? 'required' : 'none'
      return `| \`${path}\` | ${shown} | ${text} |`
    })
    .filter((row) => !rows.has(row))
}
