import { type Address, encodeFunctionData, parseEventLogs } from 'viem'
import { FORCE_FEE_WEI } from '../../protocol/limits.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { forcedQueueAbi } from '../abi/forcedQueue.ts'
import { toHex } from '../bytes.ts'
import { type Caller, sendCall } from '../contractCall.ts'

export interface RecordToForce {
  readonly lane: number
  /** 24 bytes. */
  readonly record: Uint8Array
  /** Of the record's EVSE. */
  readonly descriptor: Uint8Array
  /** As L1 takes it: r ‖ s, or 192 bytes in the order of docs/protocol.md §15.5. */
  readonly signature: Uint8Array
}

/** Appends a record to its lane's forced queue, for the fee, which is burned. */
export async function forceRecord(
  caller: Caller,
  forcedQueue: Address,
  what: RecordToForce,
): Promise<{ index: bigint; queuedAt: number }> {
  const data = encodeFunctionData({
    abi: forcedQueueAbi,
    functionName: 'forceRecord',
    args: [what.lane, toHex(what.record), toHex(what.descriptor), toHex(what.signature)],
  })
  const receipt = await sendCall(caller, { to: forcedQueue, data, value: FORCE_FEE_WEI, label: 'force a record' })
  const [event] = parseEventLogs({ abi: forcedQueueAbi, eventName: 'RecordForced', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the forced queue announced no entry')
  return { index: event.args.index, queuedAt: event.args.queuedAt }
}
