import assert from 'node:assert/strict'
import type { DischargeRecord } from '../../../protocol/record.ts'
import { P256_LAYOUT } from '../../../protocol/scheme.ts'
import { UNREACHED_TEMP_C, UNREACHED_U32 } from '../../../protocol/tariff.ts'
import { NaiveLane } from '../../protocol/naiveSettlement.ts'
import type { LaneFacts } from '../../support/generators/lane.ts'

/** Every record settles, in this order, on a lane that pays for every period: judged by the protocol's text, not by its code. */
export function assertSettles(
  records: readonly DischargeRecord[],
  lane: { readonly ratedW: number; readonly capacityWh: number; readonly contracts: number },
): void {
  const open = { activeFrom: 1, endsAt: 0xffffffff }
  const tariff = {
    socToleranceBps: 0,
    maxIncentiveBps: 10_000,
    powerW: [0, UNREACHED_U32, UNREACHED_U32, UNREACHED_U32],
    sessionIntervals: [0, UNREACHED_U32, UNREACHED_U32, UNREACHED_U32],
    tierBps: Array<number>(16).fill(10_000),
    thermalC: [0, ...Array<number>(7).fill(UNREACHED_TEMP_C)],
    thermalBps: Array<number>(8).fill(10_000),
  }
  const evse = { key: new Uint8Array(64), ratedW: lane.ratedW, lat: 0, lon: 0, radiusM: 1, depositMicro: 0n }
  const contract = { incentiveBps: 10_000, capacityWh: lane.capacityWh, vehicleKey: undefined }
  const facts = {
    layout: P256_LAYOUT,
    evses: [{ key: undefined, descriptor: evse, ...open }],
    contracts: Array.from({ length: lane.contracts }, (_, i) => ({
      descriptor: { ...contract, vehicle: BigInt(i + 1) },
      ...open,
    })),
    tariffs: [{ fromPeriod: 0, tariff }],
    prices: new Map(records.map(({ start }) => [Math.floor(start / 60), 100_000])),
    checkpoints: [{ effectiveFrom: 0, fundedMicro: 2n ** 90n }],
  }
  const naive = new NaiveLane(facts as unknown as LaneFacts)
  for (const record of records) {
    const { outcome } = naive.settle(record, true, 0xfffffff0)
    assert.equal(outcome, 'SETTLED', JSON.stringify(record))
  }
}
