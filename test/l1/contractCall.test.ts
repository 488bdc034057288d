import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFunctionData } from 'viem'
import { fundLane } from '../../bridge/funding.ts'
import { testDollarAbi } from '../../l1/abi/testDollar.ts'
import { vaultAbi } from '../../l1/abi/vault.ts'
import type { L1Client } from '../../l1/client.ts'
import { sendCall } from '../../l1/contractCall.ts'
import { approveToken } from '../../l1/operate/approve.ts'
import { startAnvil } from '../support/anvil.ts'
import { openTestLane } from '../support/lane.ts'

test('a word that is only written in a later second is paid for: an estimate is of the second in which it is made', async () => {
  await using anvil = await startAnvil()
  const { contracts, owner, lane } = await openTestLane(anvil)
  const { token, vault } = contracts
  const mint = encodeFunctionData({
    abi: testDollarAbi,
    functionName: 'mint',
    args: [owner.account.address, 10n ** 12n],
  })
  await sendCall(owner, { to: token, data: mint, label: 'mint' })
  await approveToken(owner, { token, spender: vault, amountMicro: 10n ** 12n })
  await fundLane(owner, contracts, { lane, amountMicro: 5_000_000n })
  await fundLane(owner, contracts, { lane, amountMicro: 1n })

  // Estimated as if in the second of the funding before, whose checkpoint it would share; mined a minute later, with one of its own.
  const estimates: bigint[] = []
  const hasty: L1Client = {
    ...owner.client,
    estimateGas: async (call: Parameters<L1Client['estimateGas']>[0]) => {
      await anvil.rpc('anvil_setBlockTimestampInterval', [0])
      estimates.push(await owner.client.estimateGas(call))
      await anvil.rpc('anvil_setBlockTimestampInterval', [60])
      return estimates.at(-1)!
    },
  } as L1Client
  const data = encodeFunctionData({ abi: vaultAbi, functionName: 'fund', args: [lane, 7n] })
  const { gasUsed } = await sendCall({ ...owner, client: hasty }, { to: vault, data, label: 'fund' })
  assert.ok(gasUsed > estimates[0]! + 15_000n, `${gasUsed} gas, estimated ${estimates[0]}`)
})
