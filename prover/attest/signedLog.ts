import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Hex } from 'viem'
import { writeAtomically } from '../../runtime/atomicFile.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { storeFailed } from '../../runtime/storeFailed.ts'

/** More batches than a window of seven days holds at one a minute. */
const ENTRIES_A_LANE = 16_384
const LINE = /^(\d{1,10}) (\d{1,20}) (0x[0-9a-f]{64}) ([0-9a-f]{8})$/

/**
 * What was signed for each index of each lane, on disk before the signature leaves: two signatures for one index could be both
 * slashed. One line an entry, with a checksum; a last line that a crash cut short was never followed by a signature.
 */
export class SignedLog {
  readonly #file: FileHandle
  readonly #lanes: Map<number, Map<bigint, Hex>>
  /** Of whole lines, bytes. */
  #length: number
  /** Part of a line may stand behind them. */
  #isTorn = false

  private constructor(file: FileHandle, lanes: Map<number, Map<bigint, Hex>>, length: number) {
    this.#file = file
    this.#lanes = lanes
    this.#length = length
  }

  /** @throws BackfeedError DATA_CORRUPTED for a line that is not as it was written */
  static async open(path: string): Promise<SignedLog> {
    const lanes = new Map<number, Map<bigint, Hex>>()
    const text = await readOr(path, '')
    const lines = text.split('\n')
    lines.pop() // what follows the last newline: nothing, or a line cut short
    for (const [i, line] of lines.entries()) {
      const match = LINE.exec(line)
      if (match === null || match[4] !== checksum(line.slice(0, -9))) {
        throw new BackfeedError(
          'DATA_CORRUPTED',
          `${path}, line ${i + 1}, is damaged: not signing beats signing twice`,
          {
            exitCode: ExitCode.dataCorrupted,
          },
        )
      }
      remember(lanes, { lane: Number(match[1]), index: BigInt(match[2]!), headerHash: match[3] as Hex })
    }
    // Also drops what was cut short, so that the next line begins on a line of its own.
    const kept = [...lanes]
      .flatMap(([lane, entries]) => [...entries].map(([index, headerHash]) => lineOf({ lane, index, headerHash })))
      .join('')
    await mkdir(dirname(path), { recursive: true })
    // A start on a full disk has nothing to write as a rule.
    if (kept !== text) await writeAtomically(path, kept)
    return new SignedLog(await open(path, 'a'), lanes, kept.length)
  }

  get(lane: number, index: bigint): Hex | undefined {
    return this.#lanes.get(lane)?.get(index)
  }

  /** Durable when it resolves. @throws BackfeedError STORE_FAILED, retryable: nothing may be signed that is not written down */
  async add(entry: { lane: number; index: bigint; headerHash: Hex }): Promise<void> {
    if (this.get(entry.lane, entry.index) === entry.headerHash) return
    const line = lineOf(entry)
    try {
      if (this.#isTorn) await this.#file.truncate(this.#length)
      this.#isTorn = true
      await this.#file.appendFile(line)
      await this.#file.datasync()
    } catch (cause) {
      throw storeFailed('what is signed cannot be written down', cause)
    }
    this.#isTorn = false
    this.#length += line.length
    remember(this.#lanes, entry)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

function remember(
  lanes: Map<number, Map<bigint, Hex>>,
  { lane, index, headerHash }: { lane: number; index: bigint; headerHash: Hex },
): void {
  const entries = lanes.get(lane) ?? new Map<bigint, Hex>()
  lanes.set(lane, entries)
  entries.delete(index) // so that the newest stand last
  entries.set(index, headerHash)
  if (entries.size > ENTRIES_A_LANE) entries.delete(entries.keys().next().value!)
}

function lineOf({ lane, index, headerHash }: { lane: number; index: bigint; headerHash: Hex }): string {
  const text = `${lane} ${index} ${headerHash}`
  return `${text} ${checksum(text)}\n`
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise
    throw error
  }
}
