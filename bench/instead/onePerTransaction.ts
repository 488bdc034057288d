import { generateKeyPairSync, sign } from 'node:crypto'
import {
  bytesToHex,
  createWalletClient,
  encodeAbiParameters,
  encodeFunctionData,
  type Hex,
  hexToBytes,
  http,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { startL1Node } from '../../devnet/l1Node.ts'
import { seededBytes } from '../../devnet/seed.ts'
import { type Benchmark, type BenchOptions, type BenchResult, medians } from '../benchmark.ts'
import { compile } from './compile.ts'
import { openRollupSide } from './rollup.ts'

const EVSES = 100
/** Calls to the node under way at once. */
const IN_FLIGHT = 32
const words = (...values: bigint[]): Hex =>
  encodeAbiParameters(
    values.map(() => ({ type: 'uint256' })),
    values,
  )

/** A record a transaction on an L1 node that mines as fast as it can, which no chain with other users would. */
export const insteadL1: Benchmark = {
  name: 'instead-l1',
  module: import.meta.url,
  title: 'the rollup beside one L1 transaction a record, on a node of its own that mines at once',
  aims: {},
  run,
}

async function run(options: BenchOptions): Promise<BenchResult> {
  const { abi, bytecode } = compile('./OneByOne.sol', 'OneByOne')
  await using node = await startL1Node({ startSeconds: 1_800_000_000 })
  await using rollup = await openRollupSide(options)
  const account = privateKeyToAccount(bytesToHex(seededBytes('instead', 'account', 0)))
  await node.setBalance(account.address, 10n ** 24n)
  const wallet = createWalletClient({ account, chain: node.client.chain, transport: http(node.url) })
  let nonce = 0
  const send = async (to: Hex | undefined, data: Hex): Promise<Hex> => {
    const fees = { gas: to === undefined ? 3_000_000n : 250_000n, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n }
    const raw = await wallet.signTransaction({ ...fees, to, data, nonce: nonce++, type: 'eip1559' } as never)
    return await node.client.sendRawTransaction({ serializedTransaction: raw })
  }
  const deployed = await node.client.waitForTransactionReceipt({
    hash: await send(undefined, bytecode),
    pollingInterval: 20,
  })
  const at = deployed.contractAddress!
  const keys = Array.from({ length: EVSES }, p256Key)
  for (const [evse, { x, y }] of keys.entries()) {
    await send(at, encodeFunctionData({ abi, functionName: 'register', args: [BigInt(evse), x, y] }))
  }
  const records = options.quick ? 200 : 1_000
  let start = 0n
  const round = async (): Promise<Record<string, number>> => {
    const calls = Array.from({ length: records }, (_, i) => {
      const evse = i % EVSES
      if (evse === 0) start++
      const message = words(BigInt(evse), BigInt(evse), start, start + 1n, 41n, 500_000n)
      const signature = keys[evse]!.sign(hexToBytes(message))
      const args = [message, bytesToHex(signature.subarray(0, 32)), bytesToHex(signature.subarray(32))]
      return encodeFunctionData({ abi, functionName: 'settle', args })
    })
    const startedAt = performance.now()
    const hashes: Hex[] = []
    let next = 0
    await Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        while (next < calls.length) hashes.push(await send(at, calls[next++]!))
      }),
    )
    const last = await node.client.waitForTransactionReceipt({ hash: hashes.at(-1)!, pollingInterval: 20 })
    const seconds = (performance.now() - startedAt) / 1e3
    if (last.status !== 'success') throw new Error('a record was refused')
    const ours = await rollup.run()
    const perSecond = records / seconds
    const oursPerSecond = ours.records / ours.wallSeconds
    return { times: oursPerSecond / perSecond, perSecond, oursPerSecond, gasEach: Number(last.gasUsed) }
  }
  const { times, ...figures } = await medians(options.rounds, round)
  return { ratios: { times: times! }, figures }
}

function p256Key(): { x: Hex; y: Hex; sign(message: Uint8Array): Uint8Array } {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x, y } = publicKey.export({ format: 'jwk' })
  const coordinate = (text: string | undefined): Hex => bytesToHex(Buffer.from(text!, 'base64url'))
  return {
    x: coordinate(x),
    y: coordinate(y),
    sign: (message) => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }),
  }
}
