import { type Address, encodeFunctionData } from 'viem'
import { registryAbi } from '../abi/registry.ts'
import { rollupAbi } from '../abi/rollup.ts'
import { type Caller, sendCall } from '../contractCall.ts'

// Who answers for zones and lanes. Ownership passes in two steps: proposed by the one, accepted by the other.

/** The lane's owner names the account that posts its batches; in force at once. */
export async function setOperator(
  caller: Caller,
  rollup: Address,
  what: { lane: number; operator: Address },
): Promise<void> {
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'setOperator', args: [what.lane, what.operator] })
  await sendCall(caller, { to: rollup, data, label: `name the operator of lane ${what.lane}` })
}

export async function proposeLaneOwner(
  caller: Caller,
  rollup: Address,
  what: { lane: number; owner: Address },
): Promise<void> {
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'proposeLaneOwner', args: [what.lane, what.owner] })
  await sendCall(caller, { to: rollup, data, label: `propose an owner of lane ${what.lane}` })
}

export async function acceptLaneOwner(caller: Caller, rollup: Address, lane: number): Promise<void> {
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'acceptLaneOwner', args: [lane] })
  await sendCall(caller, { to: rollup, data, label: `accept lane ${lane}` })
}

/** The zone's operator replaces its publisher and its certifier; in force at once. */
export async function setZoneRoles(
  caller: Caller,
  registry: Address,
  what: { zone: number; publisher: Address; certifier: Address },
): Promise<void> {
  const args = [what.zone, what.publisher, what.certifier] as const
  const data = encodeFunctionData({ abi: registryAbi, functionName: 'setZoneRoles', args })
  await sendCall(caller, { to: registry, data, label: `set the roles of zone ${what.zone}` })
}

export async function proposeZoneOperator(
  caller: Caller,
  registry: Address,
  what: { zone: number; operator: Address },
): Promise<void> {
  const args = [what.zone, what.operator] as const
  const data = encodeFunctionData({ abi: registryAbi, functionName: 'proposeZoneOperator', args })
  await sendCall(caller, { to: registry, data, label: `propose an operator of zone ${what.zone}` })
}

export async function acceptZoneOperator(caller: Caller, registry: Address, zone: number): Promise<void> {
  const data = encodeFunctionData({ abi: registryAbi, functionName: 'acceptZoneOperator', args: [zone] })
  await sendCall(caller, { to: registry, data, label: `accept zone ${zone}` })
}
