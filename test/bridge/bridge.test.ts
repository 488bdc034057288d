import assert from 'node:assert/strict'
import { test } from 'node:test'
import { erc20Abi, parseEventLogs } from 'viem'
import { readCredits } from '../../bridge/credit.ts'
import { fundLane } from '../../bridge/funding.ts'
import { openLaneReplay } from '../../bridge/laneReplay.ts'
import { claimRefund, noticeRefund } from '../../bridge/refund.ts'
import { withdraw, withdrawMany } from '../../bridge/withdraw.ts'
import { vaultAbi } from '../../l1/abi/vault.ts'
import { NOTICE_SECONDS, WINDOW_SECONDS } from '../../protocol/limits.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { isBackfeedError } from '../../runtime/errors.ts'
import { type PostedLane, startPostedLane } from './postedLane.ts'

const isReverted = (reason: RegExp) => (error: unknown) =>
  isBackfeedError(error, 'L1_REVERTED') && reason.test(error.message)

async function creditsOf(posted: PostedLane, slots?: readonly number[]) {
  const settings = { client: posted.node.client, contracts: posted.contracts, lane: posted.world.lane }
  const replay = await openLaneReplay({ ...settings, blobs: { sources: [] } })
  return { replay, ...(await readCredits(replay, { ...settings, ...(slots === undefined ? {} : { slots }) })) }
}

async function balanceOf(posted: PostedLane, car: number): Promise<bigint> {
  return await posted.node.client.readContract({
    address: posted.contracts.token,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [posted.accounts.owners[car]!.address],
  })
}

async function passWindow(posted: PostedLane): Promise<void> {
  const head = await posted.node.client.getBlock()
  await posted.node.moveTo(Number(head.timestamp) + WINDOW_SECONDS)
}

test('credits are pending inside the window; then anybody pays an owner, once', async () => {
  await using posted = await startPostedLane({ evseCount: 3 })
  await posted.post(posted.rows)

  const early = await creditsOf(posted)
  assert.equal(early.replay.finalIndex, 0n)
  assert.deepEqual(early.claims, [])
  for (const credit of early.credits) {
    assert.equal(credit.creditedMicro, posted.state.contract(credit.slot).creditedMicro)
    assert.ok(credit.creditedMicro > 0n)
    assert.equal(credit.pendingMicro, credit.creditedMicro)
    assert.equal(credit.withdrawableMicro, 0n)
    assert.equal(credit.owner, posted.accounts.owners[credit.slot]!.address)
  }

  await passWindow(posted)
  const { base, claims, credits } = await creditsOf(posted, [1])
  assert.equal(claims.length, 1)
  const passerBy = { client: posted.node.client, account: posted.accounts.passerBy }
  const paid = await withdraw(passerBy, posted.contracts.vault, base, claims[0]!)
  assert.equal(paid.payments[0]!.amountMicro, credits[0]!.withdrawableMicro)
  assert.equal(await balanceOf(posted, 1), posted.state.contract(1).creditedMicro)
  assert.equal(await balanceOf(posted, 0), 0n)

  // The same claim again: by anybody, by the owner, among many.
  const owner = { client: posted.node.client, account: posted.accounts.owners[1]! }
  await posted.node.setBalance(owner.account.address, 10n ** 18n)
  for (const caller of [passerBy, owner]) {
    await assert.rejects(withdraw(caller, posted.contracts.vault, base, claims[0]!), isReverted(/NothingToWithdraw/))
  }
  const again = await withdrawMany(passerBy, posted.contracts.vault, base, claims)
  assert.deepEqual(again.payments, [])
  assert.equal(await balanceOf(posted, 1), posted.state.contract(1).creditedMicro)
})

test('an owner withdraws; a claim with a changed credit or another path is refused', async () => {
  await using posted = await startPostedLane({ evseCount: 2 })
  await posted.post(posted.rows)
  await passWindow(posted)
  const { base, claims } = await creditsOf(posted)
  const owner = { client: posted.node.client, account: posted.accounts.owners[0]! }
  await posted.node.setBalance(owner.account.address, 10n ** 18n)
  const { vault } = posted.contracts

  const more = { ...claims[0]!, leaf: `0x${'00'.repeat(15)}7f${claims[0]!.leaf.slice(34)}` as const }
  await assert.rejects(withdraw(owner, vault, base, more), isReverted(/WrongPath/))
  await assert.rejects(withdraw(owner, vault, base, { ...claims[0]!, slot: 1 }), isReverted(/WrongPath/))
  const stranger = { ...claims[0]!, descriptor: claims[1]!.descriptor }
  await assert.rejects(withdraw(owner, vault, base, stranger), isReverted(/WrongDescriptor/))

  await withdraw(owner, vault, base, claims[0]!)
  assert.equal(await balanceOf(posted, 0), posted.state.contract(0).creditedMicro)
})

test('many owners are paid in transactions that fit, also when some were paid before', async () => {
  await using posted = await startPostedLane({ evseCount: 160 })
  const half = Math.floor(posted.rows.length / SIGNED_RECORD_BYTES / 2) * SIGNED_RECORD_BYTES
  await posted.post(posted.rows.subarray(0, half))
  await passWindow(posted)
  const first = await creditsOf(posted, [0, 1, 2, 3])
  const passerBy = { client: posted.node.client, account: posted.accounts.passerBy }
  await withdrawMany(passerBy, posted.contracts.vault, first.base, first.claims)

  await posted.post(posted.rows.subarray(half))
  await passWindow(posted)
  const { base, claims, credits } = await creditsOf(posted)
  const groups: number[] = []
  const paid = await withdrawMany(
    passerBy,
    posted.contracts.vault,
    base,
    claims,
    (group) => void groups.push(group.length),
  )
  assert.ok(paid.transactions > 1)
  assert.equal(
    groups.reduce((sum, size) => sum + size, 0),
    claims.length,
  )
  let totalMicro = 0n
  for (const { slot } of credits) {
    assert.equal(await balanceOf(posted, slot), posted.state.contract(slot).creditedMicro)
    totalMicro += posted.state.contract(slot).creditedMicro
  }
  assert.equal(totalMicro, posted.state.lane().spentMicro)
  assert.ok(totalMicro <= posted.world.fundedMicro)
})

test('a batch that claims a wrong root is called fraudulent, never believed', async () => {
  await using posted = await startPostedLane({ evseCount: 1 })
  await posted.post(posted.rows, { postRoot: `0x${'11'.repeat(31)}` })
  await passWindow(posted)
  await assert.rejects(creditsOf(posted), (error: unknown) => isBackfeedError(error, 'WRONG_ROOT'))
})

test('a record whose signature is bad earns nothing in the replay either', async () => {
  await using posted = await startPostedLane({ evseCount: 1 })
  const forged = posted.rows.slice(0, SIGNED_RECORD_BYTES)
  forged[SIGNED_RECORD_BYTES - 1]! ^= 1
  await posted.post(forged) // settled by the test as if it were genuine
  await assert.rejects(creditsOf(posted), (error: unknown) => isBackfeedError(error, 'WRONG_ROOT'))
})

test('funding takes effect as a checkpoint; what was not spent comes back by notice and claim', async () => {
  await using posted = await startPostedLane({ evseCount: 1, fundingMicro: 900_000_000n })
  const { vault, token } = posted.contracts
  const { lane } = posted.world
  const operator = { client: posted.node.client, account: posted.accounts.zoneOperator }
  await assert.rejects(fundLane(operator, posted.contracts, { lane, amountMicro: 1n }), isReverted(/./))

  const notice = await noticeRefund(operator, vault, { lane, amountMicro: 900_000_000n })
  await posted.node.moveTo(notice.effectiveFrom + NOTICE_SECONDS)
  await posted.post(posted.rows.subarray(0, SIGNED_RECORD_BYTES))
  await passWindow(posted)
  const { replay } = await creditsOf(posted)
  const stranger = { client: posted.node.client, account: posted.accounts.passerBy }
  const claim = { header: replay.header, state: replay.state, notice: notice.notice }
  await assert.rejects(claimRefund(stranger, vault, claim), isReverted(/NotZoneOperator/))
  const paid = await claimRefund(operator, vault, claim)
  assert.equal(paid.paidMicro, 900_000_000n)
  assert.equal(replay.state.lane().spentMicro, 0n, 'nothing was funded any more when the record came')
  const balance = await posted.node.client.readContract({
    address: token,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [operator.account.address],
  })
  assert.equal(balance, 900_000_000n)
  const logs = await posted.node.client.getContractEvents({ address: vault, abi: vaultAbi, fromBlock: 0n })
  assert.equal(parseEventLogs({ abi: vaultAbi, eventName: 'Funded', logs }).length, 1)
})
