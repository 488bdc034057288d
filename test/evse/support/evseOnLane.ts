import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FLEET_CAPACITY_WH, FLEET_RATED_W } from '../../support/fleet.ts'
import type { TestLane } from '../../support/laneFixture.ts'

export const evseKeyFile = (folder: string): string => join(folder, 'evse.pem')

/** Writes the key of the fleet's first charger, and a configuration for its agent; returns the configuration's path. */
export function writeEvseFiles(
  folder: string,
  lane: TestLane,
  options: { sequencers: readonly string[]; socket?: string; signer?: string; more?: string },
): string {
  const keyFile = evseKeyFile(folder)
  writeFileSync(keyFile, lane.fleet.keys[0]!.pem!, { mode: 0o600 })
  const path = join(folder, 'evse.toml')
  writeFileSync(
    path,
    `dataDir = "${join(folder, 'evse')}"
sequencers = [${options.sequencers.map((address) => `"${address}"`).join(', ')}]
operators = ["${lane.operator.address}"]
[evse]
name = "charger-1"
chainId = ${lane.client.chain.id}
rollup = "${lane.contracts.rollup}"
lane = ${lane.lane}
slot = 0
ratedW = ${FLEET_RATED_W}
lat = 48.7
lon = 9.1
[signer]
${options.signer ?? `kind = "file"\nkeyFile = "${keyFile}"`}
[[contracts]]
slot = 0
capacityWh = ${FLEET_CAPACITY_WH}
[http]
port = 0
[delivery]
firstDelaySeconds = 0.05
maxDelaySeconds = 0.3
[input]
${options.socket === undefined ? 'kind = "stdio"' : `kind = "unix"\npath = "${options.socket}"`}
${options.more ?? ''}
`,
  )
  return path
}
