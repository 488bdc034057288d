import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Account, type Chain, createWalletClient, http, type Transport, type WalletClient } from 'viem'
import { foundry } from 'viem/chains'
import { bytecode } from '../../l1/abi/bytecode.ts'
import { fraudVerifierAbi } from '../../l1/abi/fraudVerifier.ts'
import { registryAbi } from '../../l1/abi/registry.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { tariffAbi } from '../../l1/abi/tariff.ts'
import { testDollarAbi } from '../../l1/abi/testDollar.ts'
import { vaultAbi } from '../../l1/abi/vault.ts'
import { deploy } from '../../l1/deploy.ts'
import { type Anvil, anvilAccount, startAnvil } from '../support/anvil.ts'

const MAX_CODE_BYTES = 24_576
const MAX_TRANSACTION_GAS = 16_777_216n

describe('deploy', () => {
  let anvil: Anvil
  let wallet: WalletClient<Transport, Chain, Account>

  before(async () => {
    anvil = await startAnvil()
    wallet = createWalletClient({ account: anvilAccount(0), chain: foundry, transport: http(anvil.url) })
  })
  after(() => anvil.stop())

  test('contracts know one another', async () => {
    const deployment = await deploy(wallet, anvil.publicClient)
    const { rollup, registry, tariff, vault, vehicle, verifier, trustedSetup, token } = deployment
    const read = anvil.publicClient.readContract
    for (const [abi, address, functionName, expected] of [
      [rollupAbi, rollup, 'verifier', verifier],
      [rollupAbi, rollup, 'registry', registry],
      [registryAbi, registry, 'rollup', rollup],
      [registryAbi, registry, 'tariff', tariff],
      [registryAbi, registry, 'vehicle', vehicle],
      [registryAbi, registry, 'token', token],
      [tariffAbi, tariff, 'rollup', rollup],
      [tariffAbi, tariff, 'registry', registry],
      [vaultAbi, vault, 'rollup', rollup],
      [vaultAbi, vault, 'registry', registry],
      [vaultAbi, vault, 'vehicle', vehicle],
      [vaultAbi, vault, 'token', token],
      [fraudVerifierAbi, verifier, 'registry', registry],
      [fraudVerifierAbi, verifier, 'tariff', tariff],
      [fraudVerifierAbi, verifier, 'vault', vault],
      [fraudVerifierAbi, verifier, 'trustedSetup', trustedSetup],
    ] as const) {
      const found = await read({ abi, address, functionName } as never)
      assert.equal(found, expected, functionName)
    }
    assert.ok((await anvil.publicClient.getBlock({ blockNumber: deployment.deployedAtBlock })).transactions.length > 0)
  })

  test('takes a token of six decimals and no other', async () => {
    const token = await anvil.deploy({ initCode: bytecode.TestDollar })
    assert.equal((await deploy(wallet, anvil.publicClient, { token })).token, token)
    // A contract that answers 18 to every call.
    const eighteen = await anvil.deploy({ initCode: '0x69601260005260206000f3600052600a6016f3' })
    assert.equal(
      await anvil.publicClient.readContract({ address: eighteen, abi: testDollarAbi, functionName: 'decimals' }),
      18,
    )
    await assert.rejects(deploy(wallet, anvil.publicClient, { token: eighteen }), /18 decimals/)
  })

  test('every contract fits code size and transaction gas', async () => {
    const latest = await anvil.publicClient.getBlockNumber()
    for (let number = 1n; number <= latest; number++) {
      const block = await anvil.publicClient.getBlock({ blockNumber: number })
      for (const hash of block.transactions) {
        const receipt = await anvil.publicClient.getTransactionReceipt({ hash })
        const code = await anvil.publicClient.getCode({ address: receipt.contractAddress! })
        assert.ok((code!.length - 2) / 2 <= MAX_CODE_BYTES)
        assert.ok(receipt.gasUsed <= MAX_TRANSACTION_GAS)
      }
    }
  })
})
