import { type Address, getAddress, isAddress } from 'viem'
import { z } from 'zod'

const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }), 'not an address')
  .transform((text): Address => getAddress(text))

/** `[contracts]` of every service's configuration: one deployment. */
export const contractsConfigSchema = z.strictObject({
  rollup: address.describe('Address, as `admin deploy` printed it.'),
  registry: address.describe('Address, as `admin deploy` printed it.'),
  tariff: address.describe('Address, as `admin deploy` printed it.'),
  vault: address.describe('Address, as `admin deploy` printed it.'),
  vehicle: address.describe('Address, as `admin deploy` printed it.'),
  forcedQueue: address.describe('Address, as `admin deploy` printed it.'),
  attesters: address.describe('Address, as `admin deploy` printed it.'),
  court: address.describe('Address, as `admin deploy` printed it.'),
  promises: address.describe('Address, as `admin deploy` printed it.'),
  token: address.describe('Settlement token, as `admin deploy` printed it.'),
  deployedAtBlock: z.number().int().nonnegative().describe('Where to begin reading events.'),
})
export type Contracts = z.infer<typeof contractsConfigSchema>
