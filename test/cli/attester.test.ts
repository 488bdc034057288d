import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { encodeFunctionData, type Hex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { testDollarAbi } from '../../l1/abi/testDollar.ts'
import { accountFromKey } from '../../l1/client.ts'
import { sendCall } from '../../l1/contractCall.ts'
import { BOND_EXIT_SECONDS } from '../../protocol/limits.ts'
import { startPostedLane } from '../bridge/postedLane.ts'
import { backfeed } from '../support/commandLine.ts'

const folder = mkdtempSync(join(tmpdir(), 'backfeed-attester-'))
after(() => rmSync(folder, { recursive: true }))
const path = (name: string): string => join(folder, name)

test('an attester joins, stakes more, leaves; what cannot be says why', { timeout: 600_000 }, async () => {
  await using posted = await startPostedLane({ evseCount: 1 })
  await posted.post(posted.rows)
  const { client } = posted.node
  const staker = generatePrivateKey()
  const account = accountFromKey(staker)
  await posted.node.setBalance(account.address, 10n ** 19n)
  const mint = encodeFunctionData({ abi: testDollarAbi, functionName: 'mint', args: [account.address, 2_000_000_000n] })
  await sendCall({ client, account }, { to: posted.contracts.token, data: mint, label: 'mint test dollars' })
  writeFileSync(path('staker'), staker, { mode: 0o600 })
  const lines = Object.entries(posted.contracts).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
  writeFileSync(path('l1.toml'), `[l1]\nrpcUrl = "${posted.node.url}"\n[contracts]\n${lines.join('\n')}\n`)
  const config = ['--config', path('l1.toml')]
  const attester = (verb: string, ...more: string[]) =>
    backfeed(['bridge', 'attester', verb, ...config, '--key', path('staker'), ...more])

  const made = await backfeed(['bridge', 'attester', 'keygen', '--out', path('bls')])
  assert.match(made.out, /^public key 0x?[0-9a-f]{96}$/)
  assert.equal(statSync(path('bls')).mode & 0o777, 0o600)
  assert.equal((await backfeed(['bridge', 'attester', 'keygen', '--out', path('bls')])).code, 2, 'never overwritten')

  const join_ = ['--bls-key', path('bls'), '--amount']
  chmodSync(path('bls'), 0o644)
  const exposed = await attester('join', ...join_, '1000')
  assert.equal(exposed.code, 2)
  assert.match(exposed.err, /chmod 600/)
  chmodSync(path('bls'), 0o600)
  const poor = await attester('join', ...join_, '999.999999')
  assert.equal(poor.code, 5)
  assert.match(poor.err, /StakeTooLow/)
  assert.equal((await attester('join', ...join_, '1000')).out, 'attester 0')
  assert.match((await attester('join', ...join_, '1000')).err, /KeyTaken/)
  assert.equal((await attester('stake', '--attester', '0', '--amount', '500.5')).out, '500.500000 added')
  const status = await backfeed(['bridge', 'attester', 'status', ...config])
  assert.match(status.out, /1,500\.500000/)
  assert.match(status.out, /1 attesters/)

  const fast = ['bridge', 'withdraw', ...config, '--key', path('staker'), '--lane', '0', '--slot', '0', '--fast']
  const early = await backfeed(fast)
  assert.equal(early.code, 5)
  assert.match(early.err, /no batch of lane 0 is attested: batch 1 is final, and paid without attesters, from 20/)
  assert.equal((await backfeed([...fast, '--sequencer', 'http://127.0.0.1:1'])).code, 2)
  const slash = await attester('slash', '--lane', '0', '--batch', '1')
  assert.equal(slash.code, 2)
  assert.match(slash.err, /no batch 1 of lane 0 fell/)
  assert.match((await attester('settle', '--lane', '0', '--batch', '1')).err, /NotAttested/)

  assert.match((await attester('leave', '--attester', '0')).out, /can be taken out from 20/)
  const out = ['--attester', '0', '--to', account.address as Hex]
  assert.match((await attester('withdraw', ...out)).err, /StakeLocked/)
  const head = await client.getBlock()
  await posted.node.moveTo(Number(head.timestamp) + BOND_EXIT_SECONDS)
  assert.match((await attester('withdraw', ...out)).out, /^1,500\.500000 paid to 0x/)
})
