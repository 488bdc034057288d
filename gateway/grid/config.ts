import { z } from 'zod'
import { demandRuleSchema } from './demand/config.ts'
import { feedConfigSchema } from './feed/config.ts'
import { ieee20305ConfigSchema } from './ieee20305/config.ts'
import { openadrConfigSchema } from './openadr/config.ts'
import { publisherConfigSchema } from './publisher/config.ts'

/** `[grid]`: events and prices from the utility's side. */
export const gridConfigSchema = z
  .strictObject({
    ieee20305: z.array(ieee20305ConfigSchema).max(16).default([]),
    openadr: z.array(openadrConfigSchema).max(16).default([]),
    feeds: z.array(feedConfigSchema).max(16).default([]),
    publisher: publisherConfigSchema.optional(),
    demand: z.array(demandRuleSchema).max(64).default([]),
  })
  .superRefine((grid, context) => {
    const names = [...grid.ieee20305, ...grid.openadr, ...grid.feeds].map(({ name }) => name)
    const issue = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message })
    for (const name of names) {
      if (names.indexOf(name) !== names.lastIndexOf(name)) issue([], `two sources are named ${name}`)
    }
    const check = (path: (string | number)[], used: readonly string[]): void => {
      for (const name of used) if (!names.includes(name)) issue(path, `no source is named ${name}`)
    }
    grid.publisher?.zones.forEach((zone, i) => {
      check(['publisher', 'zones', i, 'prices'], zone.prices)
      check(['publisher', 'zones', i, 'events'], zone.events)
    })
    grid.demand.forEach((rule, i) => void check(['demand', i, 'source'], [rule.source]))
  })
export type GridConfig = z.infer<typeof gridConfigSchema>
