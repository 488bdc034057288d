import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { z } from 'zod'
import { writeAtomically } from '../../runtime/atomicFile.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'

const hash = z.templateLiteral(['0x', z.string().regex(/^[0-9a-f]{64}$/)])

const caseSchema = z.strictObject({
  headerHash: hash,
  chunk: z.number().int().min(0),
  /** Of the newest commitment; written here before it was sent. */
  salt: hash,
  /** Newest L1 block when the salt was made: its commitment lies later. */
  sinceBlock: z.number().int().min(0),
  /** Reveals sent so far: each is a transaction of its own. */
  reveals: z.number().int().min(0),
})

/** What must outlive a restart between commitment and proof. */
export type CaseFile = z.infer<typeof caseSchema>

export class CaseFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async load(headerHash: Hex): Promise<CaseFile | undefined> {
    const path = this.#path(headerHash)
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    try {
      return caseSchema.parse(JSON.parse(text))
    } catch (cause) {
      throw new BackfeedError('DATA_CORRUPTED', `${path} is not a case file`, {
        exitCode: ExitCode.dataCorrupted,
        cause,
      })
    }
  }

  /** Durable when it resolves. */
  async save(file: CaseFile): Promise<void> {
    await writeAtomically(this.#path(file.headerHash), JSON.stringify(file))
  }

  /** The case is closed: the same batch, posted again, is a new one. */
  async delete(headerHash: Hex): Promise<void> {
    await rm(this.#path(headerHash), { force: true })
  }

  #path(headerHash: Hex): string {
    return join(this.#folder, `${headerHash.slice(2)}.json`)
  }
}
