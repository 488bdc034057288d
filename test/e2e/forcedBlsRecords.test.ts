import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorsAbi } from '../../l1/abi/errors.ts'
import { revertData } from '../../l1/errors.ts'
import { accountFromKey } from '../../l1/client.ts'
import { forceRecord } from '../../l1/forced/forceRecord.ts'
import { decodeRevert } from '../../l1/revert.ts'
import { toHex } from '../../l1/bytes.ts'
import { recordsToForce } from '../../bridge/force.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { startTestProver } from '../support/evil/testProver.ts'
import { openTestLane } from '../support/laneFixture.ts'

const PROVER = 4
const PAYER = 7

test('a BLS lane: forced records are signed on L1, 64 a chunk, and a forged one is caught', {
  timeout: 600_000,
}, async () => {
  await using anvil = await startAnvil()
  const fixture = await openTestLane({ anvil, layout: BLS_LAYOUT })
  const { client, contracts, lane, fleet } = fixture
  const evil = new EvilLane(fixture)
  await using prover = await startTestProver(fixture, { account: PROVER })
  const payer = { client, account: accountFromKey(anvilPrivateKey(PAYER)) }

  const { fromRows } = await recordsToForce({ client, contracts, lane })
  const records = fromRows(fleet.rows(70))
  for (const record of records) await forceRecord(payer, contracts.forcedQueue, record)
  await anvil.warpTo((await anvil.now()) + 30)
  await anvil.mine(2)
  const entries = await evil.waiting()
  assert.deepEqual(
    entries.map(({ record }) => toHex(record)),
    records.map(({ record }) => toHex(record)),
  )
  // The signature of another record.
  const mixed = { ...records[0]!, signature: records[1]!.signature }
  await assert.rejects(forceRecord(payer, contracts.forcedQueue, mixed), (error) => {
    return decodeRevert(errorsAbi, revertData(error)).errorName === 'BadSignature'
  })

  const forged = { ...entries[64]!, record: fleet.rows(1).subarray(0, 24) }
  const lie = { name: 'an entry forged', chunk: 1, entries: entries.slice(64).with(0, forged) }
  await evil.postLie({ bodies: [], lie, entries }, 'calldata')
  assert.equal(await evil.tip(), 1n)
  await prover.idle()
  assert.equal(await evil.tip(), 0n, 'it fell')
  await evil.bondAgain()

  const posted = await evil.postHonest([], 'calldata', entries)
  await prover.idle()
  assert.equal(await evil.tip(), 1n)
  assert.equal(posted.header.forcedChunks, 2)
  assert.equal(evil.honest.at(-1)!.built.settled, 70)
  assert.deepEqual(prover.status().problems, [])
})
