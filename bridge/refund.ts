import { type Address, encodeFunctionData, parseEventLogs } from 'viem'
import { vaultAbi } from '../l1/abi/vault.ts'
import { toHex } from '../l1/bytes.ts'
import type { BatchHeader } from '../protocol/batchHeader.ts'
import type { LaneState } from '../protocol/laneState.ts'
import { BackfeedError } from '../runtime/errors.ts'
import { type Caller, sendCall } from '../l1/contractCall.ts'

export interface RefundNotice {
  readonly notice: number
  /** When settlement begins to see it: a batch with this `asOf` or a later one must be final before it is paid. */
  readonly effectiveFrom: number
}

/** The zone's operator says that it wants `amountMicro` back (docs/protocol.md §9). */
export async function noticeRefund(
  caller: Caller,
  vault: Address,
  refund: { lane: number; amountMicro: bigint },
): Promise<RefundNotice> {
  const { lane, amountMicro } = refund
  const data = encodeFunctionData({ abi: vaultAbi, functionName: 'noticeRefund', args: [lane, amountMicro] })
  const receipt = await sendCall(caller, { to: vault, data, label: `notice a refund of lane ${lane}` })
  const [event] = parseEventLogs({ abi: vaultAbi, eventName: 'RefundNoticed', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the vault announced no notice')
  return { notice: event.args.notice, effectiveFrom: event.args.effectiveFrom }
}

/** Pays a noticed refund to the zone's operator, who calls. `state` is the lane's after the final batch `header`. */
export async function claimRefund(
  caller: Caller,
  vault: Address,
  claim: { header: BatchHeader; state: LaneState; notice: number },
): Promise<{ paidMicro: bigint; returnedMicro: bigint }> {
  const { header, state, notice } = claim
  const data = encodeFunctionData({
    abi: vaultAbi,
    functionName: 'claimRefund',
    args: [header, notice, toHex(state.evses.root()), toHex(state.contracts.root()), toHex(state.laneLeafBytes())],
  })
  const receipt = await sendCall(caller, { to: vault, data, label: `claim refund notice ${notice}` })
  const [event] = parseEventLogs({ abi: vaultAbi, eventName: 'RefundPaid', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the vault announced no payment')
  return { paidMicro: event.args.paid, returnedMicro: event.args.returned }
}
