import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import type { EdgeStore, StoreOp } from '../store/edgeStore.ts'
import type { Draft } from './draft.ts'
import type { MeterEvent } from './meterEvent.ts'
import { draftKey, evseOfKey, heldKey, historyKey, seenKey, seenPrefix, signedKey, stateKey } from './meterKeys.ts'
import { FRESH_METER, type MeterState } from './meterState.ts'

/** How far the drafts of an EVSE are signed. */
export interface SignedState {
  /** Transaction of the last draft, and the drop its records claimed so far, 0.01 %. */
  readonly transaction: string | undefined
  readonly claimedBp: number
  /** The gap at the head of the drafts, and since when (wall clock) it keeps others waiting. */
  readonly gap: { readonly number: number; readonly sinceMs: number } | undefined
}

export const NOTHING_SIGNED: SignedState = { transaction: undefined, claimedBp: 0, gap: undefined }

const FORMAT = 1
const HISTORY = ['past', 'boundaries', 'problems'] as const
type History = Pick<MeterState, (typeof HISTORY)[number]>

/** Values are JSON with the number of their format: small, seldom read, and a person can look at them. */
export function encodeValue(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([FORMAT, value]))
}

/** Only what was written by `encodeValue`: the store's checksum vouches for the bytes. @throws BackfeedError DATA_CORRUPTED: of another format */
export function decodeValue<T>(key: string, bytes: Uint8Array): T {
  const [format, value] = JSON.parse(new TextDecoder().decode(bytes)) as [number, T]
  if (format !== FORMAT) throw dataCorrupted(`${key} has format ${format}, written by another version`)
  return value
}

/** What goes to disk for a step from one state to the next. */
export function stateOps(evse: string, before: MeterState, after: MeterState): StoreOp[] {
  const { past, boundaries, problems, ...now } = after
  const ops: StoreOp[] = [{ key: stateKey(evse), value: encodeValue(now) }]
  if (HISTORY.some((name) => before[name] !== after[name])) {
    ops.push({ key: historyKey(evse), value: encodeValue({ past, boundaries, problems }) })
  }
  return ops
}

export const draftOps = (evse: string, drafts: readonly Draft[]): StoreOp[] =>
  drafts.map((draft) => ({ key: draftKey(evse, draft), value: encodeValue(draft) }))

/** Marks of taken messages, and what waits or waits no longer. */
export function eventOps(
  taken: readonly MeterEvent[],
  heldBefore: readonly MeterEvent[],
  heldAfter: readonly MeterEvent[],
): StoreOp[] {
  const [before, after] = [new Set(heldBefore), new Set(heldAfter)]
  const ops: StoreOp[] = taken.map((event) => ({ key: seenKey(event), value: new Uint8Array(0) }))
  for (const event of heldAfter) if (!before.has(event)) ops.push({ key: heldKey(event), value: encodeValue(event) })
  for (const event of heldBefore) if (!after.has(event)) ops.push({ key: heldKey(event), value: undefined })
  return ops
}

export async function loadMeter(store: EdgeStore, evse: string): Promise<{ state: MeterState; signed: SignedState }> {
  const read = async <T>(key: string): Promise<T | undefined> => {
    const bytes = await store.get(key)
    return bytes === undefined ? undefined : decodeValue<T>(key, bytes)
  }
  const now = await read<Omit<MeterState, keyof History>>(stateKey(evse))
  const history = await read<History>(historyKey(evse))
  const signed = await read<SignedState>(signedKey(evse))
  return { state: { ...FRESH_METER, ...history, ...now }, signed: signed ?? NOTHING_SIGNED }
}

/** Everything under a prefix by EVSE, in the order of the keys. */
export async function loadByEvse<T>(store: EdgeStore, prefix: string): Promise<Map<string, T[]>> {
  const found = new Map<string, T[]>()
  for await (const [key, bytes] of store.entries(prefix)) {
    const evse = evseOfKey(prefix, key)
    const values = found.get(evse) ?? []
    values.push(decodeValue<T>(key, bytes))
    found.set(evse, values)
  }
  return found
}

/** Forgets which messages of a transaction were taken; in pieces, so that no write grows with the transaction. */
export async function forgetSeen(store: EdgeStore, evse: string, transaction: string): Promise<void> {
  const prefix = seenPrefix(evse, transaction)
  for (;;) {
    const ops: StoreOp[] = []
    for await (const [key] of store.entries(prefix, { limit: 1_000 })) ops.push({ key, value: undefined })
    if (ops.length === 0) return
    await store.write(ops)
  }
}
