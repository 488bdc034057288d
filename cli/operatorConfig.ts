import { z } from 'zod'
import { accountFromKeyFile, connectL1, type L1Client, l1ConfigSchema } from '../l1/client.ts'
import type { Caller } from '../l1/contractCall.ts'
import { type Contracts, contractsConfigSchema } from '../l1/contracts.ts'
import { beaconConfigSchema, beaconSource } from '../l1/derive/beacon.ts'
import type { BlobSources } from '../l1/derive/fetchBlobs.ts'
import { loadConfig } from '../runtime/config.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'

/**
 * What the one-shot commands read of a configuration file: the same [l1] and [contracts] as the services', so that a sequencer's or
 * prover's own file serves. Other sections are passed over.
 */
const operatorConfigSchema = z.object({
  l1: l1ConfigSchema.extend({ beacon: z.array(beaconConfigSchema).default([]) }).prefault({}),
  contracts: contractsConfigSchema.optional(),
})

export interface OperatorContext {
  readonly client: L1Client
  readonly contracts: Contracts
  readonly blobs: BlobSources
}

export async function openClient(configPath: string | undefined): Promise<L1Client> {
  const { beacon: _, ...l1 } = loadConfig({ path: configPath, schema: operatorConfigSchema }).l1
  return await connectL1(l1)
}

export async function openContext(configPath: string | undefined): Promise<OperatorContext> {
  const config = loadConfig({ path: configPath, schema: operatorConfigSchema })
  if (config.contracts === undefined) {
    throw new BackfeedError('CONFIG_INVALID', 'the configuration needs [contracts]', { exitCode: ExitCode.usage })
  }
  const { beacon, ...l1 } = config.l1
  return { client: await connectL1(l1), contracts: config.contracts, blobs: { sources: beacon.map(beaconSource) } }
}

export function callerFrom(client: L1Client, keyFile: string): Caller {
  return { client, account: accountFromKeyFile(keyFile) }
}
