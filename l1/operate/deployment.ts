import type { Contracts } from '../contracts.ts'
import type { Deployment } from '../deploy.ts'

/** What services are configured with. */
export function contractsOf(deployment: Deployment): Contracts {
  const { rollup, registry, tariff, vault, vehicle, token } = deployment
  return { rollup, registry, tariff, vault, vehicle, token, deployedAtBlock: Number(deployment.deployedAtBlock) }
}
