import type { Address } from 'viem'
import type { ReceiptVerifier } from '../../client/receiptVerifier.ts'
import type { OcppVersion } from '../../gateway/ocpp/config.ts'
import { recordDomain } from '../../protocol/domain.ts'
import type { Logger } from '../../runtime/log.ts'
import { seededEvseSigner } from '../evseSigner.ts'
import { seededInt } from '../seed.ts'
import type { EveningCharger } from './charger.ts'
import { evseName, STATION_PASSWORD, stationName, tokenOf } from './eveningFiles.ts'
import { MqttCharger } from './mqttCharger.ts'
import { OcppCharger } from './ocppCharger.ts'
import type { EveningPlan, Session } from './plan.ts'

export interface ChargersOptions {
  readonly plan: EveningPlan
  readonly lane: number
  readonly chainId: bigint
  readonly rollup: Address
  readonly ocppUrl: string
  readonly brokerUrl: string
  readonly receipts: ReceiptVerifier
  /** The chain's clock, milliseconds. */
  readonly now: () => number
  readonly log: Logger
  readonly signal: AbortSignal
}

export interface Chargers extends AsyncDisposable {
  /** By lane slot. */
  readonly list: readonly EveningCharger[]
  close(): Promise<void>
}

/** Of ten stations so many speak each version. */
const VERSIONS: readonly OcppVersion[] = [
  ...Array<OcppVersion>(6).fill('ocpp2.0.1'),
  ...Array<OcppVersion>(2).fill('ocpp2.1'),
  ...Array<OcppVersion>(2).fill('ocpp1.6'),
]

/** Every charger of the evening, each a client of its own. */
export function openChargers(options: ChargersOptions): Chargers {
  const { plan, lane, chainId, rollup, log } = options
  const { seed, ocppEvses } = plan.size
  const sessionsOf = Map.groupBy(plan.sessions, ({ evse }: Session) => evse)
  const domain = recordDomain({ chainId, rollup, lane })
  const list = plan.scenario.evses.map(({ lat, lon }, evse): EveningCharger => {
    const sessions = sessionsOf.get(evse) ?? []
    if (evse < ocppEvses) {
      let drawn = 0
      return new OcppCharger({
        evse,
        station: stationName(evse),
        url: options.ocppUrl,
        password: STATION_PASSWORD,
        version: VERSIONS[seededInt(seed, 'evening-version', evse, { least: 0, count: VERSIONS.length })]!,
        sessions,
        startSeconds: plan.scenario.startSeconds,
        tokenOf,
        restartsSeqNo: seededInt(seed, 'evening-restarts', evse, { least: 0, count: 4 }) === 0,
        random: () => seededInt(seed, `evening-choice-${evse}`, drawn++, { least: 0, count: 1_000_000 }) / 1_000_000,
        signal: options.signal,
      })
    }
    return new MqttCharger({
      evse,
      name: evseName(plan, evse),
      lane,
      brokerUrl: options.brokerUrl,
      sessions,
      capacityWhOf: (contract) => plan.scenario.cars[contract]!.capacityWh,
      signer: seededEvseSigner(seed, evse),
      place: { domain, lat, lon },
      receipts: options.receipts,
      now: options.now,
      log,
    })
  })
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= Promise.all(list.map((charger) => charger[Symbol.asyncDispose]())).then(() => {})
    return closed
  }
  return { list, close, [Symbol.asyncDispose]: close }
}
