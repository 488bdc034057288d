import { z } from 'zod'
import type { MeterBook } from '../evse/metering/meterBook.ts'
import type { WithheldEntry } from '../evse/metering/withheld.ts'
import { parseConfig } from '../runtime/config.ts'
import { BackfeedError } from '../runtime/errors.ts'
import type { Control } from './control/control.ts'
import { MAX_LISTED_WITHHELD } from './limits.ts'

/** Energy that is put aside, as `/v1/withheld` tells it. */
export interface WithheldAnswer {
  readonly entries: readonly WithheldEntry[]
  /** There is more than is listed: name an EVSE. */
  readonly isCut: boolean
}

const oneEvse = z.strictObject({ evse: z.string().min(1) })
const maybeEvse = z.strictObject({ evse: z.string().min(1).optional() })
const oneGap = z.strictObject({ evse: z.string().min(1), id: z.string().regex(/^\d+(\.\d+)?$/) })

export interface ActionParts {
  readonly book: MeterBook
  readonly control: Control
  readonly names: readonly string[]
}

/** What an operator may ask of a running gateway, by path. What is refused carries a code of docs/gateway.md. */
export function operatorActions({
  book,
  control,
  names,
}: ActionParts): Record<string, (body: unknown) => Promise<unknown>> {
  const known = (name: string): string => {
    if (names.includes(name)) return name
    throw new BackfeedError('EVSE_UNKNOWN', `no EVSE is named ${name}`)
  }
  return {
    '/v1/withheld': async (body): Promise<WithheldAnswer> => {
      const { evse } = parseConfig(maybeEvse, body, 'request')
      const entries: WithheldEntry[] = []
      for (const name of evse === undefined ? names : [known(evse)]) {
        for await (const entry of book.withheld(name)) {
          if (entries.length >= MAX_LISTED_WITHHELD) return { entries, isCut: true }
          entries.push(entry)
        }
      }
      return { entries, isCut: false }
    },
    '/v1/withheld/release': async (body) => {
      const { evse, id } = parseConfig(oneGap, body, 'request')
      await book.releaseGap(known(evse), id)
      return {}
    },
    '/v1/withheld/dismiss': async (body) => {
      const { evse, id } = parseConfig(oneGap, body, 'request')
      await book.dismiss(known(evse), id)
      return {}
    },
    '/v1/register/accept': async (body) => {
      await book.acceptRegister(known(parseConfig(oneEvse, body, 'request').evse))
      return {}
    },
    '/v1/guard/reset': async (body) => {
      control.reset(known(parseConfig(oneEvse, body, 'request').evse))
      return {}
    },
  }
}
