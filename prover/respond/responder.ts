import { randomBytes } from 'node:crypto'
import { type Address, type Hex, parseEventLogs, type TransactionReceipt } from 'viem'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { toHex } from '../../l1/bytes.ts'
import type { TxRequest } from '../../l1/txManager/txRecord.ts'
import { BackfeedError, describeError, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { pause } from '../../runtime/wait.ts'
import { nextStep } from '../decide/nextStep.ts'
import type { FalseBatch } from '../replay/laneChecker.ts'
import { buildProof } from '../witness/buildProof.ts'
import type { CaseFile, CaseFiles } from './caseFile.ts'
import { commitFraudData, fraudCommitment, proveFraudData } from './fraudCall.ts'
import { agrees, type FraudView } from './fraudView.ts'

/** What the responder needs of a transaction manager. */
export interface Sender {
  readonly address: Address
  /** Resolves when the transaction is in a block and succeeded; L1_REVERTED otherwise. An id is sent once. */
  send(request: TxRequest): Promise<TransactionReceipt>
}

export interface ResponderSettings {
  readonly view: FraudView
  readonly sender: Sender
  readonly files: CaseFiles
  readonly rollup: Address
  /** Between looks at L1 while there is nothing to send, milliseconds. */
  readonly pollMs: number
  readonly log: Logger
}

export type CaseResult =
  /** Our proof did it. */
  | { readonly kind: 'proven'; readonly rewardWei: bigint; readonly gasUsed: bigint; readonly block: bigint }
  /** The batch is not on L1's chain any more: somebody else's proof, or a reorganisation. */
  | { readonly kind: 'fallen'; readonly block: bigint }
  | { readonly kind: 'tooLate' }
  | { readonly kind: 'stopped' }

/**
 * Sends, but does not wait for a block when the prover stops: the transaction is on disk, and the next start finds it by its id.
 */
async function send(
  request: TxRequest,
  { sender }: ResponderSettings,
  signal: AbortSignal,
): Promise<TransactionReceipt> {
  signal.throwIfAborted()
  const sent = sender.send(request)
  let onAbort: (() => void) | undefined
  const stopped = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([sent, stopped])
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
    sent.catch(() => {}) // nobody listens any more when it was left
  }
}

/** Answers one false batch: commit, then prove, looking at L1 before every step (docs/protocol.md §8). */
export async function respond(
  falsehood: FalseBatch,
  settings: ResponderSettings,
  signal: AbortSignal,
): Promise<CaseResult> {
  const { header, headerHash } = falsehood.batch
  const log = settings.log.child({ stage: 'respond', lane: header.lane, batch: Number(header.index), headerHash })
  let proof: Hex | undefined
  while (!signal.aborted) {
    try {
      const file = await settings.files.load(headerHash)
      const commitment = file === undefined ? undefined : commitmentOf(file, settings.sender.address)
      const situation = await settings.view.situation(
        falsehood,
        file === undefined || commitment === undefined ? undefined : { hash: commitment, sinceBlock: file.sinceBlock },
      )
      const step = nextStep(situation)
      switch (step.kind) {
        case 'fallen':
          await settings.files.delete(headerHash)
          log.info('the false batch is gone from L1')
          return { kind: 'fallen', block: situation.headBlock }
        case 'tooLate':
          log.fatal('a false batch is final: its window closed before a proof got in')
          return { kind: 'tooLate' }
        case 'commit':
        case 'recommit': {
          // Nothing is spent on a proof that L1 would not take.
          proof ??= await checkedProof(falsehood, settings.view)
          const current =
            step.kind === 'commit' && file?.chunk === falsehood.chunk
              ? file
              : await newCase(falsehood, settings, Number(situation.headBlock))
          await commit(current, settings, signal)
          // Nodes may show a log later than a receipt.
          if (current === file) await pause(settings.pollMs, signal)
          break
        }
        case 'reveal': {
          proof ??= await checkedProof(falsehood, settings.view)
          const result = await reveal({ falsehood, file: file!, proof }, settings, signal)
          log.warn(
            { rewardEther: Number(result.rewardWei) / 1e18, gasUsed: Number(result.gasUsed) },
            'fraud proven: the batch and all after it are rolled back',
          )
          await settings.files.delete(headerHash)
          return { kind: 'proven', ...result }
        }
        case 'wait':
          await pause(settings.pollMs, signal)
          break
        default:
          throw new Error(`unknown step ${step satisfies never}`)
      }
    } catch (error) {
      // A lost race shows as a revert too; the next look tells what it was.
      if (isBackfeedError(error, 'TX_MANAGER_STOPPED') || signal.aborted) return { kind: 'stopped' }
      log.error({ err: error }, `answering a false batch: ${describeError(error)}`)
      await pause(settings.pollMs, signal)
    }
  }
  return { kind: 'stopped' }
}

async function checkedProof(falsehood: FalseBatch, view: FraudView): Promise<Hex> {
  const proof = await buildProof(falsehood)
  const executed = await view.execute(falsehood, proof)
  if (agrees(falsehood, executed)) return proof
  throw new BackfeedError('VERIFIER_DISAGREES', 'L1 re-executes the chunk to other roots than this prover', {
    details: { ...executed, ours: toHex(falsehood.computed), oursClaimed: toHex(falsehood.claimed) },
  })
}

/** The salt is on disk before anything is sent, so that a restart can still use the commitment. */
async function newCase(falsehood: FalseBatch, settings: ResponderSettings, headBlock: number): Promise<CaseFile> {
  const file: CaseFile = {
    headerHash: falsehood.batch.headerHash as CaseFile['headerHash'],
    chunk: falsehood.chunk,
    salt: toHex(randomBytes(32)) as CaseFile['salt'],
    sinceBlock: headBlock,
    reveals: 0,
  }
  await settings.files.save(file)
  return file
}

async function commit(file: CaseFile, settings: ResponderSettings, signal: AbortSignal): Promise<void> {
  const commitment = commitmentOf(file, settings.sender.address)
  try {
    const data = commitFraudData(commitment)
    const id = `commitFraud ${commitment}`
    await send({ kind: 'plain', id, label: 'commitFraud', to: settings.rollup, data }, settings, signal)
  } catch (error) {
    // Copied by somebody and sent first: it is ours all the same.
    if (isBackfeedError(error, 'L1_REVERTED') && error.details.errorName === 'CommitmentExists') return
    throw error
  }
}

async function reveal(
  parts: { falsehood: FalseBatch; file: CaseFile; proof: Hex },
  settings: ResponderSettings,
  signal: AbortSignal,
): Promise<{ rewardWei: bigint; gasUsed: bigint; block: bigint }> {
  const { falsehood, file, proof } = parts
  const { batch, parent, chunk } = falsehood
  let receipt: TransactionReceipt
  try {
    const request: TxRequest = {
      kind: 'plain',
      id: `proveFraud ${batch.headerHash} ${file.salt} ${file.reveals}`,
      label: 'proveFraud',
      to: settings.rollup,
      data: proveFraudData({ header: batch.header, parent, chunk, salt: file.salt, proof }),
      // On `latest` the commitment could lie in the very block that the simulation runs in.
      simulateOn: 'pending',
    }
    receipt = await send(request, settings, signal)
  } catch (error) {
    if (isBackfeedError(error, 'L1_REVERTED')) await settings.files.save({ ...file, reveals: file.reveals + 1 })
    throw error
  }
  const [proven] = parseEventLogs({ abi: rollupAbi, eventName: 'FraudProven', logs: receipt.logs })
  return { rewardWei: proven?.args.reward ?? 0n, gasUsed: receipt.gasUsed, block: receipt.blockNumber }
}

function commitmentOf(file: CaseFile, prover: Address): Hex {
  return fraudCommitment({ headerHash: file.headerHash, chunk: file.chunk, prover, salt: file.salt })
}
