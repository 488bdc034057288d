import { z } from 'zod'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { Finality } from '../finality.ts'
import { finalitySchema } from '../finality.ts'
import type { DecisionPolicy } from './decide.ts'

const GWEI = 1_000_000_000

/** `[transactions]` of the services that post. Fees in gwei. */
export const txConfigSchema = z.strictObject({
  finality: finalitySchema.default({ kind: 'tag', tag: 'finalized' }).describe('When a block counts as final.'),
  pollMs: z
    .number()
    .int()
    .min(10)
    .max(60_000)
    .default(4_000)
    .describe('Between looks at L1 when nothing calls for one, milliseconds.'),
  stuckMs: z
    .number()
    .int()
    .min(100)
    .max(3_600_000)
    .default(36_000)
    .describe('An unmined offer is replaced after this, milliseconds. Default three slots.'),
  rebroadcastMs: z
    .number()
    .int()
    .min(100)
    .max(3_600_000)
    .default(30_000)
    .describe('An offer under way is sent to the node again this often, in case it forgot, milliseconds.'),
  foreignNonceBlocks: z
    .number()
    .int()
    .min(0)
    .max(1_000)
    .default(2)
    .describe('Blocks for which a nonce must stay taken by somebody else before the transaction gets a new one.'),
  maxFeeGwei: z.number().positive().default(500).describe('Most that is offered for gas.'),
  maxPriorityFeeGwei: z.number().positive().default(50).describe('Most of it for the block’s builder.'),
  maxBlobFeeGwei: z.number().positive().default(1_000).describe('Most that is offered for blob gas.'),
  minPriorityFeeGwei: z.number().nonnegative().default(0.01).describe('Least for the block’s builder.'),
  gasMarginBps: z
    .number()
    .int()
    .min(0)
    .max(20_000)
    .default(2_500)
    .describe('Added to an estimate: 2 500 is a quarter.'),
  maxInFlight: z
    .number()
    .int()
    .min(1)
    .max(16)
    .default(8)
    .describe('Sent and not mined at a time: pools hold at most 16 blob transactions of an account.'),
  maxQueued: z.number().int().min(1).max(10_000).default(64).describe('Waiting to be sent; more are refused.'),
  lowBalanceEther: z.number().nonnegative().default(0.5).describe('Alarm below this, ether; 0: no alarm.'),
})
export type TxConfig = z.infer<typeof txConfigSchema>

export interface TxPolicy extends DecisionPolicy {
  finality: Finality
  pollMs: number
  gasMarginBps: bigint
  maxInFlight: number
  maxQueued: number
  lowBalanceWei: bigint
}

export function txPolicy(config: TxConfig): TxPolicy {
  if (config.minPriorityFeeGwei > config.maxPriorityFeeGwei || config.maxPriorityFeeGwei > config.maxFeeGwei) {
    throw new BackfeedError(
      'CONFIG_INVALID',
      'transactions: minPriorityFeeGwei ≤ maxPriorityFeeGwei ≤ maxFeeGwei must hold',
      { exitCode: ExitCode.usage },
    )
  }
  return {
    finality: config.finality,
    pollMs: config.pollMs,
    stuckMs: config.stuckMs,
    rebroadcastMs: config.rebroadcastMs,
    foreignNonceBlocks: BigInt(config.foreignNonceBlocks),
    fees: {
      maxFeePerGasCap: gwei(config.maxFeeGwei),
      maxPriorityFeePerGasCap: gwei(config.maxPriorityFeeGwei),
      maxFeePerBlobGasCap: gwei(config.maxBlobFeeGwei),
      minPriorityFeePerGas: gwei(config.minPriorityFeeGwei),
    },
    gasMarginBps: 10_000n + BigInt(config.gasMarginBps),
    maxInFlight: config.maxInFlight,
    maxQueued: config.maxQueued,
    lowBalanceWei: gwei(config.lowBalanceEther * GWEI),
  }
}

function gwei(amount: number): bigint {
  return BigInt(Math.round(amount * GWEI))
}
