import { BackfeedError, ExitCode } from '../runtime/errors.ts'

/** EIP-7825: no transaction may ask for more. */
export const TX_GAS_CAP = 16_777_216n
/** Transaction pools take no more than this of a transaction without blobs. */
export const MAX_TX_BYTES = 131_072
const BASE_GAS = 21_000n
/**
 * Two storage words that are new (EIP-2929: 22 100 each). An estimate is of the second in which it is made: what shares a word with a transaction of
 * that second, as two fundings share a checkpoint, writes one of its own when it is mined in a later one. What is not used is not paid.
 */
const LATER_WORDS_GAS = 44_200n

export interface CalldataFloor {
  zeroByteGas: bigint
  nonZeroByteGas: bigint
}
/** EIP-7623. A later fork wants 64/64: a setting, so that it is not a new version. */
export const EIP7623_FLOOR: CalldataFloor = { zeroByteGas: 10n, nonZeroByteGas: 40n }

/** The least gas that a transaction with this calldata costs, whatever it executes. A limit below it is refused, or hangs in the pool. */
export function calldataFloorGas(data: Uint8Array, floor: CalldataFloor = EIP7623_FLOOR): bigint {
  let zeroBytes = 0
  for (const byte of data) if (byte === 0) zeroBytes++
  return BASE_GAS + BigInt(zeroBytes) * floor.zeroByteGas + BigInt(data.length - zeroBytes) * floor.nonZeroByteGas
}

export interface GasLimitInput {
  /** Of the node, or the caller's own figure. */
  estimate: bigint
  data: Uint8Array
  /** What the estimate is multiplied by; 10 000: it is exact, and nothing is added. */
  marginBps: bigint
  floor?: CalldataFloor
}

/** Estimate with margin (rounded down) and two words more, at least the calldata floor, at most the cap. */
export function gasLimit(input: GasLimitInput): bigint {
  const floor = calldataFloorGas(input.data, input.floor)
  const least = input.estimate > floor ? input.estimate : floor
  if (least > TX_GAS_CAP) {
    throw new BackfeedError('TX_GAS_OVER_CAP', `a transaction needs ${least} gas, more than the cap of ${TX_GAS_CAP}`, {
      exitCode: ExitCode.refusedByL1,
      details: { estimate: input.estimate, floor },
    })
  }
  const isExact = input.marginBps === 10_000n
  const padded = (input.estimate * input.marginBps) / 10_000n + (isExact ? 0n : LATER_WORDS_GAS)
  const limit = padded > least ? padded : least
  return limit < TX_GAS_CAP ? limit : TX_GAS_CAP
}
