import type { Address, ContractFunctionReturnType } from 'viem'
import { MIN_BOND_WEI } from '../../protocol/limits.ts'
import { registryAbi } from '../abi/registry.ts'
import { rollupAbi } from '../abi/rollup.ts'
import type { L1Client } from '../client.ts'
import { revertError } from '../revert.ts'
import { errorsAbi } from '../abi/errors.ts'
import { l1Error } from '../errors.ts'

// What L1 says now of lanes, zones and bonds.

export type LaneInfo = ContractFunctionReturnType<typeof rollupAbi, 'view', 'lane'>
export type Zone = ContractFunctionReturnType<typeof registryAbi, 'view', 'zone'>

export interface Bond {
  readonly wei: bigint
  /** When it can be withdrawn, seconds; undefined unless its exit is announced. */
  readonly releaseAt: number | undefined
  /** What an account must add before it may post; 0 when it holds enough. */
  readonly missingWei: bigint
}

/** @throws BackfeedError L1_REVERTED for a lane that isn't open */
export async function readLane(client: L1Client, rollup: Address, lane: number): Promise<LaneInfo> {
  return await reading(`reading lane ${lane}`, () =>
    client.readContract({ address: rollup, abi: rollupAbi, functionName: 'lane', args: [lane] }),
  )
}

export async function readZone(client: L1Client, registry: Address, zone: number): Promise<Zone> {
  return await reading(`reading zone ${zone}`, () =>
    client.readContract({ address: registry, abi: registryAbi, functionName: 'zone', args: [zone] }),
  )
}

export async function readBond(client: L1Client, rollup: Address, account: Address): Promise<Bond> {
  const [wei, releaseAt] = await reading(`reading the bond of ${account}`, () =>
    client.readContract({ address: rollup, abi: rollupAbi, functionName: 'bondOf', args: [account] }),
  )
  return {
    wei,
    releaseAt: releaseAt === 0n ? undefined : Number(releaseAt),
    missingWei: wei < MIN_BOND_WEI ? MIN_BOND_WEI - wei : 0n,
  }
}

async function reading<T>(label: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    throw revertError(label, cause, errorsAbi) ?? l1Error(label, cause)
  }
}
