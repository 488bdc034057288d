import { scryptSync } from 'node:crypto'
import { type GatewayFiles, writeGatewayFiles } from '../gateway/gatewayFiles.ts'
import type { EveningPlan } from './plan.ts'

/** Of every station. It guards nothing: the evening is on loopback, and its seed is public. */
export const STATION_PASSWORD = 'an-evening-of-the-devnet'
/** A hash that costs next to nothing: after each kill every station comes back at once, and passwords are not what is tried here. */
const SCRYPT_N = 16

export const evseName = (plan: EveningPlan, evse: number): string =>
  evse < plan.size.ocppEvses ? stationName(evse) : `mqtt-${evse}`
export const stationName = (evse: number): string => `ocpp-${evse}`
export const tokenOf = (contract: number): string => `CAR-${contract}`

type Surroundings = Omit<GatewayFiles, 'seed' | 'evses' | 'tokens' | 'passwordHash'>

export function writeEveningFiles({ plan, ...files }: Surroundings & { readonly plan: EveningPlan }): string {
  const { seed, ocppEvses } = plan.size
  const evses = plan.scenario.evses.map((_, evse) => ({
    name: evseName(plan, evse),
    ...(evse < ocppEvses && { station: stationName(evse) }),
  }))
  const tokens = plan.scenario.cars.map((_, contract) => tokenOf(contract))
  return writeGatewayFiles(
    { ...files, seed, evses, tokens, passwordHash: passwordHash() },
    {
      l1: { pollMs: 100 },
      clock: { source: 'l1' },
      delivery: { firstDelaySeconds: 0.1, maxDelaySeconds: 2 },
      metering: { recordSeconds: 300 },
      ocpp: { sampleIntervalS: 0, alignedIntervalS: 0 },
    },
  )
}

function passwordHash(): string {
  const salt = Buffer.from('backfeed/evening')
  const hash = scryptSync(STATION_PASSWORD, salt, 32, { N: SCRYPT_N, r: 8, p: 1 })
  return `scrypt$${SCRYPT_N}$8$1$${salt.toString('base64')}$${hash.toString('base64')}`
}
