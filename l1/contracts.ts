import { type Address, getAddress, isAddress } from 'viem'
import { z } from 'zod'

const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }), 'not an address')
  .transform((text): Address => getAddress(text))

/** `[contracts]` of every service's configuration: one deployment. */
export const contractsConfigSchema = z.strictObject({
  rollup: address,
  registry: address,
  tariff: address,
  vault: address,
  vehicle: address,
  forcedQueue: address,
  attesters: address,
  court: address,
  promises: address,
  token: address,
  deployedAtBlock: z.number().int().nonnegative().describe('Where to begin reading events.'),
})
export type Contracts = z.infer<typeof contractsConfigSchema>
