import { createHash } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { readU32, writeU32 } from '../../protocol/bigEndian.ts'
import type { Bytes } from './keys.ts'

// What can be computed again, kept so that it need not be. Nobody depends on a snapshot: a file that is missing, of another version, cut or
// damaged counts as none.
//
//   magic 8 | parts: length u32 | bytes … | SHA-256 of all before 32

const MAGIC = Buffer.from('BFSNAP01')
const CHECKSUM_BYTES = 32
/** Hashed and written at a time: a millisecond or two of the event loop. */
const SLICE_BYTES = 2 * 1024 * 1024

/** Parts in order, the whole file or none. Holds the event loop for a slice at a time; each part is asked for when the one before is written. */
export async function writeSnapshotFile(path: string, parts: Iterable<Bytes> | AsyncIterable<Bytes>): Promise<void> {
  const temporary = `${path}.tmp`
  try {
    const file = await open(temporary, 'w')
    try {
      const hash = createHash('sha256')
      const put = async (bytes: Bytes): Promise<void> => {
        for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
          const slice = bytes.subarray(from, from + SLICE_BYTES)
          hash.update(slice)
          await file.writeFile(slice)
        }
      }
      await put(MAGIC)
      for await (const part of parts) {
        const length = new Uint8Array(4)
        writeU32(length, 0, part.length)
        await put(length)
        await put(part)
      }
      await file.writeFile(hash.digest())
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** The parts, or undefined when the file is missing or not whole. */
export async function readSnapshotFile(path: string): Promise<Bytes[] | undefined> {
  let bytes: Bytes
  try {
    bytes = await readFile(path)
  } catch {
    return undefined
  }
  const end = bytes.length - CHECKSUM_BYTES
  if (end < MAGIC.length || Buffer.compare(bytes.subarray(0, MAGIC.length), MAGIC) !== 0) return undefined
  const checksum = createHash('sha256').update(bytes.subarray(0, end)).digest()
  if (Buffer.compare(checksum, bytes.subarray(end)) !== 0) return undefined
  const parts: Bytes[] = []
  let at = MAGIC.length
  while (at + 4 <= end) {
    const length = readU32(bytes, at)
    at += 4
    if (at + length > end) return undefined
    parts.push(bytes.subarray(at, at + length))
    at += length
  }
  return at === end ? parts : undefined
}
