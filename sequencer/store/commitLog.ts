import { createHash } from 'node:crypto'
import type { Address, Hex } from 'viem'
import { type BatchHeader, hashHeader } from '../../protocol/batchHeader.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import type { Database } from './database.ts'
import { HASH_BYTES } from './entry.ts'
import { type Bytes, numberedKey, numberOfKey, Table, tableKey } from './keys.ts'

// What was prepared for L1 of each batch, written before it is sent: SHA-256 of key ‖ text 32 | JSON text. Whether it was mined is L1's
// to say; that is never stored.

export interface Prepared {
  readonly header: BatchHeader
  readonly headerHash: Hex
  /** Distinguishes transactions of one header: a mined one that reverted is not sent again under its id. */
  readonly attempt: number
}

export async function putPrepared(database: Database, lane: number, prepared: Prepared): Promise<void> {
  const key = numberedKey(Table.COMMIT, lane, Number(prepared.header.index))
  const text = Buffer.from(
    JSON.stringify(prepared, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)),
  )
  await database.write([{ type: 'put', key, value: Buffer.concat([digest(key, text), text]) }])
}

/** By batch index. */
export async function loadPrepared(database: Database, lane: number): Promise<Map<number, Prepared>> {
  const found = new Map<number, Prepared>()
  const to = tableKey(Table.COMMIT, lane + 1)
  for await (const [key, value] of database.entries(tableKey(Table.COMMIT, lane), to)) {
    found.set(numberOfKey(key), decode(key, value))
  }
  return found
}

function decode(key: Bytes, value: Bytes): Prepared {
  const text = value.subarray(HASH_BYTES)
  const index = numberOfKey(key)
  if (Buffer.compare(value.subarray(0, HASH_BYTES), digest(key, text)) !== 0) {
    throw dataCorrupted(`what was prepared of batch ${index}`)
  }
  const { header: raw, headerHash, attempt } = JSON.parse(Buffer.from(text).toString()) as StoredPrepared
  const header: BatchHeader = {
    ...raw,
    index: BigInt(raw.index),
    l1Block: BigInt(raw.l1Block),
    forcedStart: BigInt(raw.forcedStart),
    forcedEnd: BigInt(raw.forcedEnd),
  }
  if (hashHeader(header) !== headerHash) throw dataCorrupted(`the header prepared for batch ${index}`)
  return { header, headerHash, attempt }
}

interface StoredPrepared {
  readonly header: Omit<BatchHeader, 'index' | 'l1Block' | 'forcedStart' | 'forcedEnd' | 'submitter'> & {
    index: string
    l1Block: string
    forcedStart: string
    forcedEnd: string
    submitter: Address
  }
  readonly headerHash: Hex
  readonly attempt: number
}

function digest(key: Bytes, text: Bytes): Bytes {
  return createHash('sha256').update(key).update(text).digest()
}
