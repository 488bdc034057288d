import { type Address, encodeFunctionData, erc20Abi, type Hex, parseEventLogs, type TransactionReceipt } from 'viem'
import { courtAbi } from '../l1/abi/court.ts'
import { toHex } from '../l1/bytes.ts'
import type { L1Client } from '../l1/client.ts'
import { type Caller, sendCall } from '../l1/contractCall.ts'
import type { Contracts } from '../l1/contracts.ts'
import { openLaneView } from '../l1/laneView/laneView.ts'
import { l1FromZcash } from '../protocol/bls.ts'
import type { LaneRules } from '../protocol/laneRules.ts'
import { DISPUTE_BOND_MICRO, RECORD_BYTES } from '../protocol/limits.ts'
import type { ReadingSource } from '../protocol/reading.ts'
import { Scheme } from '../protocol/scheme.ts'
import { BackfeedError, ExitCode, isBackfeedError } from '../runtime/errors.ts'
import { type Evidence, exhibitId, proofOf } from './evidence.ts'

/** A signed reading as L1 takes it. */
export interface SignedReading {
  readonly source: ReadingSource
  readonly energyWh: number
  /** r ‖ s, 64 bytes. */
  readonly signature: Hex
  /** Of a grid meter; a vehicle's are its contract's descriptor, which L1 knows. */
  readonly credentials?: Hex
}

export type CourtExhibit = Awaited<ReturnType<typeof readExhibit>>
export type CourtClaim = Awaited<ReturnType<typeof readClaim>>

/** Shows L1 the record, unless it was shown before. */
export async function exhibit(caller: Caller, court: Address, evidence: Evidence): Promise<Hex> {
  const id = exhibitId(evidence)
  const { batch, parent, chunk, row } = evidence
  const args = [batch.header, parent, chunk, row, await proofOf(evidence)] as const
  const data = encodeFunctionData({ abi: courtAbi, functionName: 'exhibit', args })
  try {
    await sendCall(caller, { to: court, data, label: 'exhibit a record' })
  } catch (error) {
    // Whether an old exhibit still stands is the court's to say.
    if (!isBackfeedError(error, 'L1_REVERTED') || !error.message.includes('ExhibitExists')) throw error
  }
  return id
}

/** Disputes an exhibited record; approves the bond first where needed. */
export async function openDispute(
  caller: Caller,
  contracts: Contracts,
  dispute: { exhibit: Hex; reading: SignedReading },
): Promise<bigint> {
  const { court } = contracts
  await approveBond(caller, contracts)
  const reading = await readingOf(caller.client, contracts, dispute.exhibit, dispute.reading)
  const data = encodeFunctionData({ abi: courtAbi, functionName: 'openDispute', args: [dispute.exhibit, reading] })
  const receipt = await sendCall(caller, { to: court, data, label: 'open a dispute' })
  const [event] = parseEventLogs({ abi: courtAbi, eventName: 'DisputeOpened', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the court announced no dispute')
  return event.args.dispute
}

/** Files the reading that is still missing. */
export async function answerDispute(
  caller: Caller,
  contracts: Contracts,
  answer: { dispute: bigint; reading: SignedReading },
): Promise<void> {
  const claim = await readClaim(caller.client, contracts.court, answer.dispute)
  const reading = await readingOf(caller.client, contracts, claim.exhibit, answer.reading)
  const data = encodeFunctionData({ abi: courtAbi, functionName: 'answerDispute', args: [answer.dispute, reading] })
  await sendCall(caller, { to: contracts.court, data, label: `answer dispute ${answer.dispute}` })
}

/** Decides a dispute or a double plug, whichever it is, or voids it when a batch of it fell. */
export async function resolveClaim(caller: Caller, contracts: Contracts, id: bigint): Promise<Decision> {
  const { client } = caller
  const { court } = contracts
  const claim = await readClaim(client, court, id)
  const record = await readExhibit(client, court, claim.exhibit)
  let data: Hex
  if (isDoublePlug(claim)) {
    data = encodeFunctionData({ abi: courtAbi, functionName: 'resolveDoublePlug', args: [id] })
  } else {
    const rules = await rulesNow(client, contracts, record.lane)
    const descriptor = toHex(rules.evses.descriptor(record.evse))
    data = encodeFunctionData({ abi: courtAbi, functionName: 'resolveDispute', args: [id, descriptor] })
  }
  return decisionOf(await sendCall(caller, { to: court, data, label: `resolve claim ${id}` }))
}

export interface Decision {
  readonly kind: 'upheld' | 'refused' | 'void'
  readonly clawedMicro: bigint
  /** Of the EVSE's deposit. */
  readonly slashedMicro: bigint
}

/** Two exhibits of one contract at two EVSEs at once. */
export async function openDoublePlug(caller: Caller, court: Address, first: Hex, second: Hex): Promise<bigint> {
  const data = encodeFunctionData({ abi: courtAbi, functionName: 'openDoublePlug', args: [first, second] })
  const receipt = await sendCall(caller, { to: court, data, label: 'report a double plug' })
  const [event] = parseEventLogs({ abi: courtAbi, eventName: 'DoublePlugOpened', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the court announced no claim')
  return event.args.claim
}

/** Two rows (record ‖ signature) that one EVSE signed. @returns the reporter's reward, micro */
export async function proveEquivocation(
  caller: Caller,
  contracts: Contracts,
  report: { lane: number; rows: readonly [Uint8Array, Uint8Array] },
): Promise<bigint> {
  const [first, second] = report.rows
  const rules = await rulesNow(caller.client, contracts, report.lane)
  const evse = new DataView(first.buffer, first.byteOffset).getUint32(0)
  const signatures = Buffer.concat([l1Signature(rules, first), l1Signature(rules, second)])
  const data = encodeFunctionData({
    abi: courtAbi,
    functionName: 'proveEquivocation',
    args: [report.lane, toHex(rules.evses.descriptor(evse)), recordWord(first), recordWord(second), toHex(signatures)],
  })
  const receipt = await sendCall(caller, { to: contracts.court, data, label: `report EVSE ${evse}` })
  const [event] = parseEventLogs({ abi: courtAbi, eventName: 'EquivocationProven', logs: receipt.logs })
  if (event === undefined) throw new BackfeedError('EVENT_MISSING', 'the court announced no equivocation')
  return event.args.reward
}

export async function readClaim(client: L1Client, court: Address, id: bigint) {
  const claim = await client.readContract({ address: court, abi: courtAbi, functionName: 'claimOf', args: [id] })
  if (BigInt(claim.exhibit) === 0n) throw new BackfeedError('CLAIM_UNKNOWN', `the court knows no claim ${id}`)
  return claim
}

export async function readExhibit(client: L1Client, court: Address, id: Hex) {
  const found = await client.readContract({ address: court, abi: courtAbi, functionName: 'exhibitOf', args: [id] })
  if (found.finalAt === 0) throw new BackfeedError('EXHIBIT_UNKNOWN', `the court knows no exhibit ${id}`)
  return found
}

export function isDoublePlug(claim: CourtClaim): boolean {
  return BigInt(claim.other) !== 0n
}

function decisionOf(receipt: TransactionReceipt): Decision {
  const none = { clawedMicro: 0n, slashedMicro: 0n }
  for (const event of parseEventLogs({ abi: courtAbi, logs: receipt.logs })) {
    if (event.eventName === 'DisputeVoid' || event.eventName === 'DoublePlugVoid') return { kind: 'void', ...none }
    if (event.eventName === 'DoublePlugResolved') {
      return { kind: 'upheld', clawedMicro: event.args.clawed, slashedMicro: 0n }
    }
    if (event.eventName === 'DisputeResolved') {
      const { upheld, clawed, slashed } = event.args
      return { kind: upheld ? 'upheld' : 'refused', clawedMicro: clawed, slashedMicro: slashed }
    }
  }
  throw new BackfeedError('EVENT_MISSING', 'the court announced no decision')
}

async function readingOf(client: L1Client, contracts: Contracts, id: Hex, reading: SignedReading) {
  const { source, energyWh, signature } = reading
  return {
    source,
    energyWh,
    r: signature.slice(0, 66) as Hex,
    s: `0x${signature.slice(66)}` as Hex,
    credentials: reading.credentials ?? (await vehicleCredentials(client, contracts, id)),
  }
}

async function vehicleCredentials(client: L1Client, contracts: Contracts, id: Hex): Promise<Hex> {
  const { lane, contractSlot } = await readExhibit(client, contracts.court, id)
  return toHex((await rulesNow(client, contracts, lane)).contracts.descriptor(contractSlot))
}

async function rulesNow(client: L1Client, contracts: Contracts, lane: number): Promise<LaneRules> {
  const head = await client.getBlock()
  const view = await openLaneView({ client, contracts, lane })
  await view.catchUp({ number: head.number, hash: head.hash })
  return view.rules
}

async function approveBond(caller: Caller, { court, token }: Contracts): Promise<void> {
  const amount = BigInt(DISPUTE_BOND_MICRO)
  const owner = caller.account.address
  const allowance = await caller.client.readContract({
    address: token,
    abi: erc20Abi,
    functionName: 'allowance',
    args: [owner, court],
  })
  if (allowance >= amount) return
  const data = encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [court, amount] })
  await sendCall(caller, { to: token, data, label: 'approve the court' })
}

/** A row of a BLS lane holds its signature as libraries serialise it; L1 has an order of its own. */
function l1Signature({ layout }: LaneRules, row: Uint8Array): Uint8Array {
  if (row.length !== layout.rowBytes) {
    throw new BackfeedError('ROW_LENGTH', `a row of this lane takes ${layout.rowBytes} bytes, not ${row.length}`, {
      exitCode: ExitCode.usage,
    })
  }
  const signature = row.subarray(RECORD_BYTES)
  return layout.scheme === Scheme.BLS ? l1FromZcash(signature) : signature
}

function recordWord(row: Uint8Array): bigint {
  return BigInt(toHex(row.subarray(0, RECORD_BYTES)))
}
