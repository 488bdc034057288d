import { type Address, encodeFunctionData, parseEventLogs } from 'viem'
import { BackfeedError } from '../../runtime/errors.ts'
import { registryAbi } from '../abi/registry.ts'
import { rollupAbi } from '../abi/rollup.ts'
import { type Caller, sendCall } from '../contractCall.ts'
import { Scheme } from '../../protocol/scheme.ts'

/** The caller becomes the zone's operator. */
export async function openZone(
  caller: Caller,
  registry: Address,
  roles: { publisher: Address; certifier: Address },
): Promise<number> {
  const args = [roles.publisher, roles.certifier] as const
  const data = encodeFunctionData({ abi: registryAbi, functionName: 'openZone', args })
  const receipt = await sendCall(caller, { to: registry, data, label: 'open a zone' })
  const [event] = parseEventLogs({ abi: registryAbi, eventName: 'ZoneOpened', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the registry announced no zone')
  return event.args.zone
}

/** The caller becomes the lane's owner; `operator` posts its batches. */
export async function openLane(
  caller: Caller,
  rollup: Address,
  options: { zone: number; operator: Address; scheme?: Scheme },
): Promise<number> {
  const args = [options.zone, options.operator, options.scheme ?? Scheme.P256] as const
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'openLane', args })
  const receipt = await sendCall(caller, { to: rollup, data, label: 'open a lane' })
  const [event] = parseEventLogs({ abi: rollupAbi, eventName: 'LaneOpened', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the rollup announced no lane')
  return event.args.lane
}

export async function depositBond(caller: Caller, rollup: Address, wei: bigint): Promise<void> {
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'depositBond' })
  await sendCall(caller, { to: rollup, data, value: wei, label: 'deposit a bond' })
}

/** Stops the caller from posting. The bond can leave once every batch is final and every receipt expired. */
export async function announceBondExit(caller: Caller, rollup: Address): Promise<void> {
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'announceBondExit' })
  await sendCall(caller, { to: rollup, data, label: 'announce the exit of the bond' })
}

/** Takes an announced exit back; the caller may post again. */
export async function cancelBondExit(caller: Caller, rollup: Address): Promise<void> {
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'cancelBondExit' })
  await sendCall(caller, { to: rollup, data, label: 'cancel the exit of the bond' })
}

export async function withdrawBond(caller: Caller, rollup: Address, to: Address): Promise<void> {
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'withdrawBond', args: [to] })
  await sendCall(caller, { to: rollup, data, label: 'withdraw the bond' })
}
