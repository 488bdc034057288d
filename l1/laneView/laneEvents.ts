import { type Address, type Hex, type Log, numberToHex, parseEventLogs, toEventSelector } from 'viem'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { registryAbi } from '../abi/registry.ts'
import { tariffAbi } from '../abi/tariff.ts'
import { vaultAbi } from '../abi/vault.ts'
import { fromHex } from '../bytes.ts'
import type { Contracts } from '../contracts.ts'
import type { LogQuery } from '../logs.ts'

const NAMES = [
  'EvsesRegistered',
  'EvseEnded',
  'ContractsEnrolled',
  'ContractEnded',
  'TariffSet',
  'PricesSet',
  'CheckpointAdded',
] as const
type Name = (typeof NAMES)[number]

/** The events that settlement depends on (docs/protocol.md §3, §5, §9); everything else the contracts say is left out. */
const laneEventsAbi = [...registryAbi, ...tariffAbi, ...vaultAbi].filter(
  (item): item is Extract<typeof item, { type: 'event'; name: Name }> =>
    item.type === 'event' && (NAMES as readonly string[]).includes(item.name),
)
const selectors: Hex[] = laneEventsAbi.map((item) => toEventSelector(item))

export interface LaneOf {
  lane: number
  zone: number
}

/** One query for all of them: their first topic is the lane or, for prices, the zone. */
export function laneEventQuery(
  contracts: Contracts,
  of: LaneOf,
  blocks: { fromBlock: bigint; toBlock: bigint },
): LogQuery {
  const addresses: Address[] = [contracts.registry, contracts.tariff, contracts.vault]
  const ids = [...new Set([of.lane, of.zone])].map((id) => numberToHex(id, { size: 32 }))
  return { addresses, topics: [selectors, ids], ...blocks }
}

/** Applies logs, in the chain's order, to the rules of one lane. Logs of other lanes or zones with the same number are passed over. */
export function applyLaneEvents(rules: LaneRules, of: LaneOf, logs: readonly Log<bigint, number, false>[]): void {
  const events = parseEventLogs({ abi: laneEventsAbi, logs: [...logs] })
  if (events.length !== logs.length) {
    throw new BackfeedError('L1_INCONSISTENT', `${logs.length - events.length} events of a contract cannot be decoded`)
  }
  for (const event of events) {
    const belongs = event.eventName === 'PricesSet' ? event.args.zone === of.zone : event.args.lane === of.lane
    if (!belongs) continue
    switch (event.eventName) {
      case 'EvsesRegistered':
        rules.applyEvsesRegistered({ ...event.args, descriptors: fromHex(event.args.descriptors) })
        break
      case 'EvseEnded':
        rules.applyEvseEnded(event.args)
        break
      case 'ContractsEnrolled':
        rules.applyContractsEnrolled({ ...event.args, descriptors: fromHex(event.args.descriptors) })
        break
      case 'ContractEnded':
        rules.applyContractEnded(event.args)
        break
      case 'TariffSet':
        rules.applyTariffSet({ ...event.args, tariff: fromHex(event.args.tariff) })
        break
      case 'PricesSet':
        rules.applyPricesSet(event.args)
        break
      case 'CheckpointAdded':
        rules.applyCheckpointAdded({ ...event.args, fundedMicro: event.args.funded })
        break
      default:
        throw new Error(`unknown event ${(event satisfies never as { eventName: string }).eventName}`)
    }
  }
}
