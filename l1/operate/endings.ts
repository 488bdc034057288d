import { type Address, encodeFunctionData, parseEventLogs } from 'viem'
import { NOTICE_SECONDS } from '../../protocol/limits.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { registryAbi } from '../abi/registry.ts'
import { toHex } from '../bytes.ts'
import { type Caller, sendCall } from '../contractCall.ts'

/** A block may come this much later than the one whose time an end was worked out from. Seconds. */
const NEXT_BLOCKS_SECONDS = 300

/** The earliest end that L1 surely still takes, by its newest block's time. Seconds. */
export async function earliestEnd(caller: Caller): Promise<number> {
  return Number((await caller.client.getBlock()).timestamp) + NOTICE_SECONDS + NEXT_BLOCKS_SECONDS
}

/** Brings an EVSE's end forward: the lane's owner or operator, or the zone's certifier. `endsAt` is at least 30 minutes away. */
export async function endEvse(
  caller: Caller,
  registry: Address,
  what: { lane: number; slot: number; endsAt: number },
): Promise<void> {
  const args = [what.lane, what.slot, what.endsAt] as const
  const data = encodeFunctionData({ abi: registryAbi, functionName: 'endEvse', args })
  await sendCall(caller, { to: registry, data, label: `end EVSE ${what.slot} of lane ${what.lane}` })
}

/** Brings a contract's end forward: the lane's owner or operator, or the vehicle's owner. */
export async function endContract(
  caller: Caller,
  registry: Address,
  what: { lane: number; slot: number; endsAt: number; descriptor: Uint8Array },
): Promise<void> {
  const args = [what.lane, what.slot, what.endsAt, toHex(what.descriptor)] as const
  const data = encodeFunctionData({ abi: registryAbi, functionName: 'endContract', args })
  await sendCall(caller, { to: registry, data, label: `end contract ${what.slot} of lane ${what.lane}` })
}

/** Pays what is left of an ended EVSE's deposit to the lane's owner, 21 days after its end. */
export async function releaseDeposit(
  caller: Caller,
  registry: Address,
  what: { lane: number; slot: number; descriptor: Uint8Array },
): Promise<{ to: Address; amountMicro: bigint }> {
  const args = [what.lane, what.slot, toHex(what.descriptor)] as const
  const data = encodeFunctionData({ abi: registryAbi, functionName: 'releaseDeposit', args })
  const receipt = await sendCall(caller, { to: registry, data, label: `release the deposit of EVSE ${what.slot}` })
  const [event] = parseEventLogs({ abi: registryAbi, eventName: 'DepositReleased', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the registry announced no payment')
  return { to: event.args.to, amountMicro: event.args.amount }
}
