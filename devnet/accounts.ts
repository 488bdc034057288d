import { privateKeyToAccount } from 'viem/accounts'
import { toHex } from '../l1/bytes.ts'
import type { L1Account } from '../l1/client.ts'
import { seededBytes } from './seed.ts'

/** Everybody who holds an L1 key in a devnet. Seeded, hence public: worthless anywhere else. */
export interface DevnetAccounts {
  readonly deployer: L1Account
  /** Cold key of the zone; funds the lane and sets its tariff. */
  readonly zoneOperator: L1Account
  readonly publisher: L1Account
  readonly certifier: L1Account
  readonly laneOwner: L1Account
  /** Hot key of the sequencer. */
  readonly laneOperator: L1Account
  readonly laneOperatorKey: `0x${string}`
  readonly prover: L1Account
  readonly proverKey: `0x${string}`
  /** Pays owners out: nobody in particular. */
  readonly passerBy: L1Account
  readonly owners: readonly L1Account[]
}

export function devnetAccounts(seed: string, ownerCount: number): DevnetAccounts {
  const key = (what: string, index = 0): `0x${string}` => toHex(seededBytes(seed, `l1-key-${what}`, index))
  const account = (what: string, index = 0): L1Account => privateKeyToAccount(key(what, index))
  return {
    deployer: account('deployer'),
    zoneOperator: account('zone-operator'),
    publisher: account('publisher'),
    certifier: account('certifier'),
    laneOwner: account('lane-owner'),
    laneOperator: account('lane-operator'),
    laneOperatorKey: key('lane-operator'),
    prover: account('prover'),
    proverKey: key('prover'),
    passerBy: account('passer-by'),
    owners: Array.from({ length: ownerCount }, (_, index) => account('owner', index)),
  }
}
