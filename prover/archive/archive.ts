import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Hex } from 'viem'
import type { Logger } from '../../runtime/log.ts'

const CHECKSUM_BYTES = 32

/**
 * Keeps on disk what was checked: consensus nodes drop blobs after about 18 days, and a lane is re-executed from its genesis when a
 * prover restarts or L1 reorganises deeply. One file an entry, SHA-256 of the bytes ‖ bytes, named by what commits to it: a blob's
 * versioned hash, or a batch's data hash. Nothing is ever changed, so a file is either whole or not there.
 */
export class Archive {
  readonly #folder: string
  readonly #log: Logger

  constructor(folder: string, log: Logger) {
    this.#folder = folder
    this.#log = log
  }

  /** Durable when it resolves. */
  async put(name: Hex, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name)
    await mkdir(dirname(path), { recursive: true })
    const temporary = `${path}.${randomBytes(6).toString('hex')}`
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(Buffer.concat([checksum(bytes), bytes]))
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    // The new name must survive a crash as well.
    const folder = await open(dirname(path), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }

  /** Undefined when it was never stored, or the disk has damaged it: then L1 is asked again. */
  async get(name: Hex): Promise<Uint8Array | undefined> {
    let stored: Buffer
    try {
      stored = await readFile(this.#path(name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const bytes = new Uint8Array(stored.subarray(CHECKSUM_BYTES))
    if (checksum(bytes).equals(stored.subarray(0, CHECKSUM_BYTES))) return bytes
    this.#log.error({ name }, 'an archived entry is damaged; it is fetched again')
    return undefined
  }

  #path(name: Hex): string {
    if (!/^0x[0-9a-f]{64}$/.test(name)) throw new RangeError(`not a 32-byte hash: ${name}`)
    return join(this.#folder, name.slice(4, 6), name.slice(2))
  }
}

function checksum(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
