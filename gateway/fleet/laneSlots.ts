import { decodeEvseDescriptor } from '../../protocol/descriptor.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import type { Contract, EdgeEvse } from './directory.ts'
import type { ContractEntry, EvseEntry } from './config.ts'
import { meterKeyBytes } from '../ocmf/meterKey.ts'

/** What L1 says of an EVSE's slot. Seconds. */
export interface SlotTerm {
  readonly activeFrom: number
  /** 2^32 − 1: open. */
  readonly endsAt: number
  /** Of the geofence around the registered place. */
  readonly radiusM: number
}

export interface KnownEvse {
  readonly evse: EdgeEvse
  readonly term: SlotTerm
}

/** The EVSE by configuration and descriptor; undefined while L1 has nothing in its slot. */
export function knownEvse(entry: EvseEntry, rules: LaneRules): KnownEvse | undefined {
  const { evses } = rules
  if (entry.slot >= evses.count || rules.layout.scheme !== P256_LAYOUT.scheme) return undefined
  const { key, ratedW, lat, lon, radiusM } = decodeEvseDescriptor(evses.descriptor(entry.slot))
  const { name, lane, slot, station, evseId, signedValues, telemetry } = entry
  return {
    evse: {
      name,
      lane,
      slot,
      ratedW,
      lat,
      lon,
      publicKey: key,
      ocpp: station === undefined ? undefined : { station, evseId },
      signedValues,
      meterKey: entry.meterKey === undefined ? undefined : meterKeyBytes(entry.meterKey),
      telemetry,
    },
    term: { activeFrom: evses.activeFrom[entry.slot]!, endsAt: evses.endsAt[entry.slot]!, radiusM },
  }
}

/** Undefined while L1 has nothing in its slot. */
export function knownContract({ lane, slot }: ContractEntry, rules: LaneRules): Contract | undefined {
  if (slot >= rules.contracts.count) return undefined
  return { lane, slot, capacityWh: rules.contractCapacityWh(slot) }
}
