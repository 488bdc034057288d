import { SecretKey } from '@chainsafe/blst'
import { encodeFunctionData, type Hex } from 'viem'
import { testDollarAbi } from '../../l1/abi/testDollar.ts'
import { toHex } from '../../l1/bytes.ts'
import { type L1Account, accountFromKey } from '../../l1/client.ts'
import { sendCall } from '../../l1/contractCall.ts'
import { attestData, joinAttesters } from '../../l1/operate/attesters.ts'
import { attestMessage } from '../../protocol/attestation.ts'
import type { BatchHeader } from '../../protocol/batchHeader.ts'
import { aggregateBls, blsKeyBytes } from '../../protocol/bls.ts'
import { anvilPrivateKey } from './anvil.ts'
import type { TestLane } from './laneFixture.ts'

export interface TestAttester {
  readonly id: number
  readonly key: SecretKey
  readonly stakeMicro: bigint
}

export function testBlsKey(seed: number): SecretKey {
  return SecretKey.fromKeygen(new Uint8Array(32).fill(seed))
}

/** Joins one attester for each stake, all paid by one account. */
export async function joinTestAttesters(
  fixture: TestLane,
  options: { account: number; firstSeed: number; stakesMicro: readonly bigint[] },
): Promise<TestAttester[]> {
  const { client, contracts } = fixture
  const account: L1Account = accountFromKey(anvilPrivateKey(options.account))
  const caller = { client, account }
  const total = options.stakesMicro.reduce((sum, stake) => sum + stake, 0n)
  const mint = encodeFunctionData({ abi: testDollarAbi, functionName: 'mint', args: [account.address, total] })
  await sendCall(caller, { to: contracts.token, data: mint, label: 'mint test dollars' })
  const joined: TestAttester[] = []
  for (const [i, stakeMicro] of options.stakesMicro.entries()) {
    const key = testBlsKey(options.firstSeed + i)
    joined.push({ id: await joinAttesters(caller, contracts, { key, stakeMicro }), key, stakeMicro })
  }
  return joined
}

/** What a colluding quorum does: signs whatever it is asked to, and posts it. */
export async function attestBlindly(
  fixture: TestLane,
  signers: readonly TestAttester[],
  batch: { header: BatchHeader; headerHash: Hex },
  account: number,
): Promise<void> {
  const { client, contracts } = fixture
  const message = attestMessage({ chainId: BigInt(client.chain.id), attesters: contracts.attesters }, batch.headerHash)
  const sorted = [...signers].sort((a, b) => a.id - b.id)
  const data = attestData({
    header: batch.header,
    bitmap: sorted.reduce((bits, { id }) => bits | (1n << BigInt(id)), 0n),
    keys: `0x${sorted.map(({ key }) => toHex(blsKeyBytes(key.toPublicKey())).slice(2)).join('')}`,
    aggregate: toHex(aggregateBls(sorted.map(({ key }) => key.sign(message)))),
  })
  const caller = { client, account: accountFromKey(anvilPrivateKey(account)) }
  await sendCall(caller, { to: contracts.attesters, data, label: 'attest' })
}
