import { type Address, encodeFunctionData, erc20Abi } from 'viem'
import { type Caller, sendCall } from '../contractCall.ts'

/** Lets `spender` take `amountMicro` of the caller's tokens, where it may not yet. */
export async function approveToken(
  caller: Caller,
  what: { token: Address; spender: Address; amountMicro: bigint },
): Promise<void> {
  const { token, spender, amountMicro } = what
  const allowance = await caller.client.readContract({
    address: token,
    abi: erc20Abi,
    functionName: 'allowance',
    args: [caller.account.address, spender],
  })
  if (allowance >= amountMicro) return
  const data = encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [spender, amountMicro] })
  await sendCall(caller, { to: token, data, label: `approve ${spender}` })
}
