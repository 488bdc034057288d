import { type Address, encodeFunctionData, erc20Abi } from 'viem'
import { vaultAbi } from '../l1/abi/vault.ts'
import { type Caller, sendCall } from '../l1/contractCall.ts'

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
  const allowance = await caller.client.readContract({
    address: token,
    abi: erc20Abi,
    functionName: 'allowance',
    args: [caller.account.address, vault],
  })
  if (allowance < amountMicro) {
    const data = encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [vault, amountMicro] })
    await sendCall(caller, { to: token, data, label: 'approve the vault' })
  }
  const data = encodeFunctionData({ abi: vaultAbi, functionName: 'fund', args: [lane, amountMicro] })
  await sendCall(caller, { to: vault, data, label: `fund lane ${lane}` })
}
