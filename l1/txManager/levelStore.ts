import { existsSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { Level } from 'level'
import { writeAtomically } from '../../runtime/atomicFile.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { decodeRecord, decodeSidecar, encodeRecord, encodeSidecar, seal, unseal } from './txCodec.ts'
import type { TxStore } from './txStore.ts'

const FORMAT_KEY = 'format'
const FORMAT = 'backfeed-tx/1'
const DURABLE = { sync: true } as const

export interface LevelTxStore extends TxStore, AsyncDisposable {
  close(): Promise<void>
}

/** A store of its own in `directory`. Refuses a directory whose files are there but whose contents level has lost. */
export async function openLevelTxStore(directory: string): Promise<LevelTxStore> {
  await mkdir(directory, { recursive: true })
  // There while the store is made: a process that was killed in the midst had sent nothing, and the next one goes on.
  const begun = `${directory}.new`
  const isNew = (await readdir(directory)).length === 0 || existsSync(begun)
  if (isNew) await writeAtomically(begun, '')
  const db = new Level<string, Uint8Array>(directory, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
    createIfMissing: isNew,
  })
  try {
    await db.open()
    const format = await db.get(FORMAT_KEY)
    if (isNew && format === undefined) await db.put(FORMAT_KEY, seal(FORMAT_KEY, Buffer.from(FORMAT)), DURABLE)
    else if (format === undefined) throw new Error('the format mark is missing')
    else if (Buffer.from(unseal(FORMAT_KEY, format)).toString() !== FORMAT) throw new Error('of another version')
    await rm(begun, { force: true })
  } catch (cause) {
    await db.close()
    throw new BackfeedError('DATA_CORRUPTED', `the transaction store in ${directory} cannot be used`, {
      exitCode: ExitCode.dataCorrupted,
      cause,
    })
  }
  const close = (): Promise<void> => db.close()
  return { ...levelTxStore(db), close, [Symbol.asyncDispose]: close }
}

/** Inside a database that somebody else opened and checks; all keys get `prefix`. */
export function levelTxStore(db: Level<string, Uint8Array>, prefix = ''): TxStore {
  const recordPrefix = `${prefix}tx/`
  const recordKey = (id: string): string => recordPrefix + id
  const sidecarKey = (id: string): string => `${prefix}sidecar/${id}`
  return {
    load: async () => {
      const records = []
      for await (const [key, value] of db.iterator({ gte: recordPrefix, lt: `${recordPrefix}\u{10ffff}` })) {
        records.push(decodeRecord(unseal(key, value)))
      }
      return records
    },
    put: (record) => db.put(recordKey(record.id), seal(recordKey(record.id), encodeRecord(record)), DURABLE),
    delete: (id) =>
      db.batch(
        [
          { type: 'del', key: recordKey(id) },
          { type: 'del', key: sidecarKey(id) },
        ],
        DURABLE,
      ),
    putSidecar: (id, sidecar) => db.put(sidecarKey(id), seal(sidecarKey(id), encodeSidecar(sidecar)), DURABLE),
    getSidecar: async (id) => {
      const value = await db.get(sidecarKey(id))
      return value === undefined ? undefined : decodeSidecar(unseal(sidecarKey(id), value))
    },
    deleteSidecar: (id) => db.del(sidecarKey(id), DURABLE),
  }
}
