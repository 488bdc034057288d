import type { Contracts } from '../contracts.ts'
import type { Deployment } from '../deploy.ts'

/** What services are configured with. */
export function contractsOf(deployment: Deployment): Contracts {
  const { rollup, registry, tariff, vault, vehicle, forcedQueue, attesters, court, promises, token } = deployment
  const deployedAtBlock = Number(deployment.deployedAtBlock)
  return { rollup, registry, tariff, vault, vehicle, forcedQueue, attesters, court, promises, token, deployedAtBlock }
}
