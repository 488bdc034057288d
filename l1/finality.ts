import { z } from 'zod'
import type { L1Client } from './client.ts'

/** When a block counts as final: by depth for development chains and rollups, by the beacon chain's word on main net. */
export type Finality = { kind: 'depth'; blocks: number } | { kind: 'tag'; tag: 'finalized' | 'safe' }

export const finalitySchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('depth'), blocks: z.number().int().min(0).max(100_000) }),
  z.strictObject({ kind: z.literal('tag'), tag: z.enum(['finalized', 'safe']) }),
])

/** Number of the newest final block; 0 while there is none. */
export async function readFinalBlock(client: L1Client, finality: Finality, head: bigint): Promise<bigint> {
  if (finality.kind === 'depth') {
    const depth = BigInt(finality.blocks)
    return head > depth ? head - depth : 0n
  }
  const block = await client.getBlock({ blockTag: finality.tag })
  return block.number < head ? block.number : head
}
