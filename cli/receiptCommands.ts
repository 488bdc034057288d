import { onL1 } from './onL1.ts'
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { type Address, isAddressEqual } from 'viem'
import { openLaneReplay } from '../bridge/laneReplay.ts'
import {
  findPromise,
  type PromiseStanding,
  promiseExpiry,
  proveBrokenPromise,
  receiptSigner,
} from '../bridge/promise.ts'
import { rollupAbi } from '../l1/abi/rollup.ts'
import { parseReceiptJson, type ReceiptFile } from '../protocol/receiptJson.ts'
import { decodeRecord } from '../protocol/record.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { callerFrom, type OperatorContext, openContext } from './operatorConfig.ts'
import { address } from './options.ts'
import { isoTime, say } from './output.ts'

const RECEIPT = ['--receipt <file>', 'JSON as a sequencer’s …/records/{position}/receipt gives it'] as const

export function receiptCommand(): Command {
  return new Command('receipt').description('A sequencer’s word for one record.').addCommand(
    onL1('verify', 'Check that a receipt is signed by its lane’s operator and holds its record. Exit code 4 if not.')
      .argument('<file>', 'JSON as a sequencer’s …/records/{position}/receipt gives it')
      .option('--operator <address>', 'the lane’s operator, instead of asking L1', address)
      .action(async (path: string, options: { config?: string; operator?: Address }) => {
        const file = readReceipt(path)
        const operator = options.operator ?? (await operatorOnL1(await openContext(options.config), file))
        const signer = receiptSigner(file, file)
        if (!isAddressEqual(signer, operator)) {
          throw new BackfeedError('RECEIPT_INVALID', `signed by ${signer}, but the lane’s operator is ${operator}`, {
            exitCode: ExitCode.dataCorrupted,
          })
        }
        describe(file, signer)
      }),
  )
}

export function promiseCommand(): Command {
  return new Command('promise')
    .description('Hold a lane’s operator to its receipts.')
    .addCommand(
      onL1('check', 'Say whether L1 holds what a receipt promises. Exit code 4 if it holds something else.')
        .requiredOption(...RECEIPT)
        .action(async (options: { config?: string; receipt: string }) => {
          const { standing } = await standingOf(await openContext(options.config), options.receipt)
          say(inWords(standing))
          if (standing.kind === 'broken') {
            throw new BackfeedError('PROMISE_BROKEN', 'the promise is broken: prove it', {
              exitCode: ExitCode.dataCorrupted,
            })
          }
        }),
    )
    .addCommand(
      onL1('prove', 'Prove a broken promise: its signer’s bond is slashed, half of it for the caller.')
        .requiredOption(...RECEIPT)
        .requiredOption('--key <file>', 'file with the hex key of the account that pays the gas')
        .action(async (options: { config?: string; receipt: string; key: string }) => {
          const context = await openContext(options.config)
          const { standing, file } = await standingOf(context, options.receipt)
          say(inWords(standing))
          if (standing.kind !== 'broken') return
          const caller = callerFrom(context.client, options.key)
          const { promises } = context.contracts
          const done = await proveBrokenPromise(caller, promises, file.receipt, standing.evidence)
          say(`proven in ${done.txHash}, ${done.gasUsed} gas`)
        }),
    )
}

async function standingOf(
  context: OperatorContext,
  path: string,
): Promise<{ standing: PromiseStanding; file: ReceiptFile }> {
  const { client, contracts } = context
  const file = readReceipt(path)
  const signer = receiptSigner(file, { chainId: client.chain.id, rollup: contracts.rollup })
  describe(file, signer)
  const replay = await openLaneReplay({ ...context, lane: file.receipt.lane })
  return { standing: await findPromise(replay, file.receipt), file }
}

function readReceipt(path: string): ReceiptFile {
  try {
    return parseReceiptJson(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new BackfeedError('RECEIPT_UNREADABLE', `${path}: ${cause instanceof Error ? cause.message : cause}`, {
      exitCode: ExitCode.usage,
      cause,
    })
  }
}

async function operatorOnL1({ client, contracts }: OperatorContext, file: ReceiptFile): Promise<Address> {
  if (file.chainId !== client.chain.id || !isAddressEqual(file.rollup, contracts.rollup)) {
    throw new BackfeedError('RECEIPT_INVALID', `the receipt is for rollup ${file.rollup} on chain ${file.chainId}`, {
      exitCode: ExitCode.dataCorrupted,
    })
  }
  const { lane } = file.receipt
  const call = { address: contracts.rollup, abi: rollupAbi, functionName: 'lane', args: [lane] } as const
  return (await client.readContract(call)).operator
}

function describe({ receipt }: ReceiptFile, signer: Address): void {
  const { evse, start } = decodeRecord(receipt.row)
  say(`EVSE ${evse}, first interval ${start}: position ${receipt.position} of lane ${receipt.lane}`)
  say(`promised by ${signer} at ${isoTime(receipt.time)}, enforceable until ${isoTime(promiseExpiry(receipt))}`)
}

function inWords(standing: PromiseStanding): string {
  switch (standing.kind) {
    case 'kept':
      return `kept: batch ${standing.batch}, chunk ${standing.chunk} holds it`
    case 'notPosted':
      return `not posted yet: L1 holds ${standing.position} positions of the lane`
    case 'broken':
      return `broken: batch ${standing.batch}, chunk ${standing.chunk} holds something else there`
    default:
      return standing satisfies never
  }
}
