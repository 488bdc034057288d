import { type Address, encodeFunctionData } from 'viem'
import { vaultAbi } from '../l1/abi/vault.ts'
import { type Caller, sendCall } from '../l1/contractCall.ts'
import { approveToken } from '../l1/operate/approve.ts'

export interface VaultAddresses {
  readonly vault: Address
  readonly token: Address
}

/** Takes `amountMicro` of the token from the caller into the lane's escrow, approving it first where needed. Settlement sees it 30 minutes later. */
export async function fundLane(
  caller: Caller,
  addresses: VaultAddresses,
  funding: { lane: number; amountMicro: bigint },
): Promise<void> {
  const { vault, token } = addresses
  const { lane, amountMicro } = funding
  await approveToken(caller, { token, spender: vault, amountMicro })
  const data = encodeFunctionData({ abi: vaultAbi, functionName: 'fund', args: [lane, amountMicro] })
  await sendCall(caller, { to: vault, data, label: `fund lane ${lane}` })
}
