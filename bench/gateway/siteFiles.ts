import { type GatewayFiles, writeGatewayFiles } from '../../devnet/gateway/gatewayFiles.ts'
import { hashPassword } from '../../gateway/ocpp/passwords.ts'

export interface SiteFiles extends Omit<GatewayFiles, 'evses' | 'tokens' | 'passwordHash'> {
  /** All at OCPP stations; the first `watched` send telemetry by MQTT too, and have a guard. */
  readonly evses: number
  readonly watched: number
  readonly vtnUrl: string
}

export const STATION_PASSWORD = 'a-station-of-the-benchmark'
export const stationName = (evse: number): string => `station-${evse}`
export const evseName = (evse: number): string => `evse-${evse}`
export const tokenOf = (contract: number): string => `CAR-${contract}`

/**
 * A gateway as it is delivered, but for what makes a trial quick: power comes back at once, and records are of 15 seconds, so that as many messages
 * make a record as do when stations report each minute.
 */
export async function writeSiteFiles({ evses, watched, vtnUrl, ...files }: SiteFiles): Promise<string> {
  const all = Array.from({ length: evses }, (_, evse) => evse)
  // The same for all, at the full cost of checking it.
  const passwordHash = await hashPassword(STATION_PASSWORD)
  const fleet = all.map((evse) => ({
    name: evseName(evse),
    station: stationName(evse),
    telemetry: evse < watched ? ('mqtt' as const) : ('none' as const),
  }))
  return writeGatewayFiles(
    { ...files, evses: fleet, tokens: all.map(tokenOf), passwordHash },
    {
      metering: { recordSeconds: 15 },
      control: {
        guard: { rampUpWPerS: 1_000_000, rampStepMs: 50, contactorDwellMs: 0, telemetry: { resumeAfterMs: 100 } },
      },
      grid: {
        openadr: [{ name: 'vtn', url: vtnUrl, setpointSign: 'export-positive', pricesOpenGate: false }],
        demand: [{ source: 'vtn', watts: 'each' }],
      },
    },
  )
}
