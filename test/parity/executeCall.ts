import assert from 'node:assert/strict'
import {
  type Address,
  BaseError,
  bytesToHex,
  type ContractFunctionArgs,
  createWalletClient,
  decodeErrorResult,
  decodeFunctionResult,
  encodeFunctionData,
  type Hex,
  http,
  isHex,
} from 'viem'
import { foundry } from 'viem/chains'
import { fraudVerifierAbi } from '../../l1/abi/fraudVerifier.ts'
import { registryAbi } from '../../l1/abi/registry.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { type Deployment, deploy } from '../../l1/deploy.ts'
import { recordDomain } from '../../protocol/domain.ts'
import { type Anvil, anvilAccount } from '../support/anvil.ts'

/** A transaction's cap on main net: what does not fit proves nothing. */
const GAS_CAP = 16_777_216n

/** A lane that was opened and left alone. */
export async function emptyLane(
  anvil: Anvil,
): Promise<{ deployment: Deployment; zone: number; lane: number; domain: Hex }> {
  const account = anvilAccount(1)
  const wallet = createWalletClient({ account, chain: foundry, transport: http(anvil.url) })
  const deployment = await deploy(wallet, anvil.publicClient)
  const { registry, rollup } = deployment
  for (const hash of [
    await wallet.writeContract({
      address: registry,
      abi: registryAbi,
      functionName: 'openZone',
      args: [account.address, account.address],
    }),
    await wallet.writeContract({
      address: rollup,
      abi: rollupAbi,
      functionName: 'openLane',
      args: [0, account.address, 0],
      gas: 1_000_000n,
    }),
  ]) {
    assert.equal((await anvil.publicClient.waitForTransactionReceipt({ hash })).status, 'success')
  }
  const domain = bytesToHex(recordDomain({ chainId: 31337n, rollup, lane: 0 }))
  return { deployment, zone: 0, lane: 0, domain }
}

export interface Call {
  readonly to: Address
  readonly data: Hex
  readonly gas: bigint
}

type ExecuteArguments = ContractFunctionArgs<typeof fraudVerifierAbi, 'view', 'execute'>

export function executeCall(verifier: Address, args: ExecuteArguments): Call {
  return {
    to: verifier,
    data: encodeFunctionData({ abi: fraudVerifierAbi, functionName: 'execute', args }),
    gas: GAS_CAP,
  }
}

/** The claimed and the computed root. */
export async function answer(anvil: Anvil, call: Call): Promise<readonly [Hex, Hex]> {
  const { data = '0x' } = await anvil.publicClient.call(call)
  return decodeFunctionResult({ abi: fraudVerifierAbi, functionName: 'execute', data })
}

/** Name of the verifier's error that a call reverted with, or undefined. */
export function revertName(error: unknown): string | undefined {
  if (!(error instanceof BaseError)) return undefined
  const carrier = error.walk(
    (cause) => typeof cause === 'object' && cause !== null && 'data' in cause && isHex(cause.data),
  )
  if (carrier === null) return undefined
  return decodeErrorResult({ abi: fraudVerifierAbi, data: (carrier as unknown as { data: Hex }).data }).errorName
}
