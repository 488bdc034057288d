import type { SecretKey } from '@chainsafe/blst'
import { type Address, encodeFunctionData, type Hex, parseEventLogs } from 'viem'
import type { BatchHeader } from '../../protocol/batchHeader.ts'
import { blsKeyBytes } from '../../protocol/bls.ts'
import { provePossession } from '../../protocol/blsPossession.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { attestersAbi } from '../abi/attesters.ts'
import { toHex } from '../bytes.ts'
import { type Caller, sendCall } from '../contractCall.ts'
import { approveToken } from './approve.ts'

export interface AttesterAddresses {
  readonly attesters: Address
  readonly token: Address
}

/** Stakes the caller's tokens behind a BLS key; the attester's id. */
export async function joinAttesters(
  caller: Caller,
  addresses: AttesterAddresses,
  joining: { key: SecretKey; stakeMicro: bigint },
): Promise<number> {
  const { attesters, token } = addresses
  const { key, stakeMicro } = joining
  await approveToken(caller, { token, spender: attesters, amountMicro: stakeMicro })
  const publicKey = toHex(blsKeyBytes(key.toPublicKey()))
  const possession = toHex(provePossession(key.toBytes()))
  const args = [publicKey, possession, stakeMicro] as const
  const data = encodeFunctionData({ abi: attestersAbi, functionName: 'join', args })
  const receipt = await sendCall(caller, { to: attesters, data, label: 'join the attesters' })
  const [event] = parseEventLogs({ abi: attestersAbi, eventName: 'AttesterJoined', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'nobody was announced to have joined')
  return event.args.attester
}

export async function addStake(
  caller: Caller,
  addresses: AttesterAddresses,
  more: { id: number; amountMicro: bigint },
): Promise<void> {
  const { attesters, token } = addresses
  await approveToken(caller, { token, spender: attesters, amountMicro: more.amountMicro })
  const args = [more.id, more.amountMicro] as const
  const data = encodeFunctionData({ abi: attestersAbi, functionName: 'addStake', args })
  await sendCall(caller, { to: attesters, data, label: `add to the stake of attester ${more.id}` })
}

/** For good. Seconds since the epoch from which the stake can be taken out. */
export async function announceLeave(caller: Caller, attesters: Address, id: number): Promise<number> {
  const data = encodeFunctionData({ abi: attestersAbi, functionName: 'announceLeave', args: [id] })
  const receipt = await sendCall(caller, { to: attesters, data, label: `announce that attester ${id} leaves` })
  const [event] = parseEventLogs({ abi: attestersAbi, eventName: 'LeaveAnnounced', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'nobody was announced to leave')
  return Number(event.args.releaseAt)
}

export async function withdrawStake(
  caller: Caller,
  attesters: Address,
  leaving: { id: number; to: Address },
): Promise<bigint> {
  const args = [leaving.id, leaving.to] as const
  const data = encodeFunctionData({ abi: attestersAbi, functionName: 'withdrawStake', args })
  const receipt = await sendCall(caller, { to: attesters, data, label: `take out the stake of attester ${leaving.id}` })
  const [event] = parseEventLogs({ abi: attestersAbi, eventName: 'AttesterLeft', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'nobody was announced to have left')
  return event.args.amount
}

export interface Slashing {
  readonly slashedMicro: bigint
  readonly refilledMicro: bigint
  readonly rewardMicro: bigint
}

/** For an attested batch that fell. Anyone may call, and is rewarded. */
export async function slashAttesters(caller: Caller, attesters: Address, header: BatchHeader): Promise<Slashing> {
  const data = encodeFunctionData({ abi: attestersAbi, functionName: 'slash', args: [header] })
  const label = `slash the attesters of batch ${header.index} of lane ${header.lane}`
  const receipt = await sendCall(caller, { to: attesters, data, label })
  const [event] = parseEventLogs({ abi: attestersAbi, eventName: 'AttestersSlashed', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'no slash was announced')
  const { slashed, refilled, reward } = event.args
  return { slashedMicro: slashed, refilledMicro: refilled, rewardMicro: reward }
}

/** For an attested batch that is final: what was paid fast against it is no longer outstanding. */
export async function settleAttestation(caller: Caller, attesters: Address, header: BatchHeader): Promise<bigint> {
  const data = encodeFunctionData({ abi: attestersAbi, functionName: 'settle', args: [header] })
  const label = `settle what was paid fast against batch ${header.index} of lane ${header.lane}`
  const receipt = await sendCall(caller, { to: attesters, data, label })
  const [event] = parseEventLogs({ abi: attestersAbi, eventName: 'AttestationSettled', logs: receipt.logs })
  return event?.args.released ?? 0n
}

export function attestData(parts: { header: BatchHeader; bitmap: bigint; keys: Hex; aggregate: Hex }): Hex {
  const args = [parts.header, parts.bitmap, parts.keys, parts.aggregate] as const
  return encodeFunctionData({ abi: attestersAbi, functionName: 'attest', args })
}
