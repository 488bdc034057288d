import { z } from 'zod'
import { staleSecondsSchema, timeoutMsSchema } from '../askConfig.ts'
import { PRICE_UNITS } from '../model/price.ts'
import { sourceNameSchema } from '../sourceName.ts'
import { TIME_FORMATS } from './feedTime.ts'
import { isTimeZone } from './zonedTime.ts'

/** One of `[[grid.feeds]]`: prices in a CSV file, or in a CSV text that an HTTP server gives out. */
export const feedConfigSchema = z
  .strictObject({
    name: sourceNameSchema.describe('Unique among the sources of the grid.'),
    file: z.string().min(1).optional().describe('A file, read anew when it changes. Either this or `url`.'),
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('https, or http on this machine. Asked every `pollSeconds`.'),
    authorizationFile: z
      .string()
      .min(1)
      .optional()
      .describe('Sent as `Authorization` by `url`; the file holds the whole value.'),
    timeColumn: z.string().min(1).describe('Heading of the column of times.'),
    priceColumn: z.string().min(1).describe('Heading of the column of prices, decimal. Negative: no event.'),
    timeFormat: z
      .enum(TIME_FORMATS)
      .default('iso')
      .describe('`iso`, `mdy` (7/1/2026 17:00), `dmy`, `epoch` (seconds).'),
    timeZone: z
      .string()
      .refine(isTimeZone, 'no time zone of this platform')
      .default('UTC')
      .describe("Of times without an offset: an IANA name. With daylight saving only if the feed's clock has it."),
    unit: z.enum(PRICE_UNITS).default('kWh').describe('What the price is for: $/kWh, $/MWh, $/Wh.'),
    stamp: z
      .enum(['beginning', 'ending'])
      .describe(
        "Which end of the interval a row's time names. Wrong by an hour, it pays every hour the price of its neighbour.",
      ),
    intervalMinutes: z.number().int().min(1).max(1_440).default(60).describe("Length of a row's interval, minutes."),
    pollSeconds: z.number().int().min(1).max(86_400).default(300).describe('Between looks, seconds.'),
    staleSeconds: staleSecondsSchema(7_200),
    timeoutMs: timeoutMsSchema,
  })
  .refine(({ file, url }) => (file === undefined) !== (url === undefined), 'give either file or url')
export type FeedConfig = z.infer<typeof feedConfigSchema>
