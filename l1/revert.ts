import { type Abi, decodeErrorResult, type Hex } from 'viem'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { revertData, shortMessage } from './errors.ts'

export interface RevertReason {
  /** Name of the custom error, `Error`, `Panic`, or `unknown`. */
  errorName: string
  args: readonly unknown[]
  /** `WrongIndex(expected: 3, given: 4)` as far as it could be decoded. */
  text: string
}

/** `abi` holds the errors of every contract that may revert, since an inner call's error surfaces as it is. */
export function decodeRevert(abi: Abi, data: Hex | undefined): RevertReason {
  if (data === undefined || data === '0x') return { errorName: 'unknown', args: [], text: 'no reason given' }
  try {
    const decoded = decodeErrorResult({ abi, data })
    const args = (decoded.args ?? []) as readonly unknown[]
    const inputs = decoded.abiItem.type === 'error' ? decoded.abiItem.inputs : []
    const shown = args.map((value, i) => {
      const name = inputs[i]?.name
      return name === undefined || name === '' ? String(value) : `${name}: ${String(value)}`
    })
    return { errorName: decoded.errorName, args, text: `${decoded.errorName}(${shown.join(', ')})` }
  } catch {
    return { errorName: 'unknown', args: [], text: `undecoded revert ${data}` }
  }
}

/** L1_REVERTED when the error is a revert; undefined for any other failure of a call. */
export function revertError(attempted: string, error: unknown, abi: Abi): BackfeedError | undefined {
  const data = revertData(error)
  if (data === undefined && !/revert/i.test(shortMessage(error))) return undefined
  const reason = decodeRevert(abi, data)
  const text = data === undefined ? shortMessage(error) : reason.text
  return new BackfeedError('L1_REVERTED', `${attempted} reverts: ${text}`, {
    exitCode: ExitCode.refusedByL1,
    cause: error,
    details: { errorName: reason.errorName, args: reason.args.map(String), data },
  })
}
