import { existsSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { Level } from 'level'
import { writeAtomically } from '../../runtime/atomicFile.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { isDiskFull } from '../../runtime/levelFolder.ts'
import { type LevelBatch, ReopeningLevel } from '../../runtime/reopeningLevel.ts'
import { storeFailed } from '../../runtime/storeFailed.ts'
import { decodeRecord, decodeSidecar, encodeRecord, encodeSidecar, seal, unseal } from './txCodec.ts'
import type { TxStore } from './txStore.ts'

const FORMAT_KEY = 'format'
const FORMAT = 'backfeed-tx/1'
const RECORDS = 'tx/'
/** A blob transaction's sidecar is a few hundred kilobytes. */
const WRITE_BUFFER_BYTES = 4 * 1024 * 1024

export interface LevelTxStore extends TxStore, AsyncDisposable {
  close(): Promise<void>
}

/** A store of its own in `directory`. Refuses a directory whose files are there but whose contents level has lost. */
export async function openLevelTxStore(directory: string): Promise<LevelTxStore> {
  await mkdir(directory, { recursive: true })
  // There while the store is made: a process that was killed in the midst had sent nothing, and the next one goes on.
  const begun = `${directory}.new`
  let isNew = (await readdir(directory)).length === 0 || existsSync(begun)
  if (isNew) await writeAtomically(begun, '')
  const db = await ReopeningLevel.open({
    folder: directory,
    writeBufferBytes: WRITE_BUFFER_BYTES,
    open: () => openChecked(directory, isNew),
  })
  isNew = false
  await rm(begun, { force: true })
  const close = (): Promise<void> => db.close()
  return { ...levelTxStore(db), close, [Symbol.asyncDispose]: close }
}

async function openChecked(directory: string, isNew: boolean): Promise<Level<string, Uint8Array>> {
  const db = new Level<string, Uint8Array>(directory, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
    createIfMissing: isNew,
    writeBufferSize: WRITE_BUFFER_BYTES,
  })
  try {
    await db.open()
    const format = await db.get(FORMAT_KEY)
    if (isNew && format === undefined) {
      await db.put(FORMAT_KEY, seal(FORMAT_KEY, Buffer.from(FORMAT)), { sync: true })
    } else if (format === undefined) throw new Error('the format mark is missing')
    else if (Buffer.from(unseal(FORMAT_KEY, format)).toString() !== FORMAT) throw new Error('of another version')
    return db
  } catch (error) {
    await db.close()
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    if (isDiskFull(cause)) {
      throw storeFailed(`the transaction store in ${directory} cannot be opened: the disk is full`, cause)
    }
    throw new BackfeedError('DATA_CORRUPTED', `the transaction store in ${directory} cannot be used`, {
      exitCode: ExitCode.dataCorrupted,
      cause: error,
    })
  }
}

function levelTxStore(db: ReopeningLevel<string>): TxStore {
  const recordKey = (id: string): string => RECORDS + id
  const sidecarKey = (id: string): string => `sidecar/${id}`
  const durably = (fill: (batch: LevelBatch<string>) => void): Promise<void> => db.write(fill, true)
  return {
    load: async () => {
      const records = []
      for await (const [key, value] of db.entries(RECORDS, `${RECORDS}\u{10ffff}`)) {
        records.push(decodeRecord(unseal(key, value)))
      }
      return records
    },
    put: (record) =>
      durably((batch) => batch.put(recordKey(record.id), seal(recordKey(record.id), encodeRecord(record)))),
    delete: (id) =>
      durably((batch) => {
        batch.del(recordKey(id))
        batch.del(sidecarKey(id))
      }),
    putSidecar: (id, sidecar) =>
      durably((batch) => batch.put(sidecarKey(id), seal(sidecarKey(id), encodeSidecar(sidecar)))),
    getSidecar: async (id) => {
      const value = await db.get(sidecarKey(id))
      return value === undefined ? undefined : decodeSidecar(unseal(sidecarKey(id), value))
    },
    deleteSidecar: (id) => durably((batch) => batch.del(sidecarKey(id))),
  }
}
