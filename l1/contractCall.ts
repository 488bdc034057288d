import { createWalletClient, custom, type Hex, type TransactionReceipt } from 'viem'
import { errorsAbi } from './abi/errors.ts'
import { fromHex } from './bytes.ts'
import type { L1Account, L1Client } from './client.ts'
import { l1Error } from './errors.ts'
import { gasLimit } from './gas.ts'
import { revertError } from './revert.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { pause } from '../runtime/wait.ts'

/** Who calls, and through which node. One call of an account at a time: its nonce is the node's. */
export interface Caller {
  readonly client: L1Client
  readonly account: L1Account
}

export interface ContractCall {
  readonly to: Hex
  readonly data: Hex
  /** What it is, for errors. */
  readonly label: string
  readonly value?: bigint
}

/** Estimates say what a call takes in the state of now; the next block's may take a little more. */
const GAS_MARGIN_BPS = 12_000n
const RECEIPT_TIMEOUT_MS = 180_000

/** Sends one transaction and waits for its block. @throws BackfeedError L1_REVERTED with the contract's error, TX_GAS_OVER_CAP */
export async function sendCall(caller: Caller, call: ContractCall): Promise<TransactionReceipt> {
  const { client, account } = caller
  const { to, data, label } = call
  const value = call.value ?? 0n
  const wallet = createWalletClient({ account, chain: client.chain, transport: custom(client) })
  let hash: Hex
  try {
    const estimate = await client.estimateGas({ account, to, data, value })
    const gas = gasLimit({ estimate, data: fromHex(data), marginBps: GAS_MARGIN_BPS })
    hash = await wallet.sendTransaction({ to, data, value, gas })
  } catch (cause) {
    throw revertError(label, cause, errorsAbi) ?? l1Error(label, cause)
  }
  const receipt = await receiptOf(client, hash, label)
  if (receipt.status !== 'success') {
    throw new BackfeedError('L1_REVERTED', `${label}: transaction ${hash} reverted`, {
      exitCode: ExitCode.refusedByL1,
    })
  }
  return receipt
}

async function receiptOf(client: L1Client, hash: Hex, label: string): Promise<TransactionReceipt> {
  const deadline = Date.now() + RECEIPT_TIMEOUT_MS
  for (let waitMs = 5; ; waitMs = Math.min(2 * waitMs, 2_000)) {
    try {
      return await client.getTransactionReceipt({ hash })
    } catch (cause) {
      if (Date.now() > deadline) throw l1Error(`${label}: waiting for ${hash}`, cause)
    }
    await pause(waitMs)
  }
}
