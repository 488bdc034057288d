import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { writeAtomically } from './atomicFile.ts'
import { dataCorrupted } from './dataCorrupted.ts'
import { BackfeedError, ExitCode } from './errors.ts'
import { storeFailed } from './storeFailed.ts'

const MARKER = 'store.json'
/** There while a folder is made: a process that was killed in the midst had told nobody of anything, and the next one goes on. */
const BEGUN = 'store.new'
const FORMAT = 1

/** Whose data a folder holds: a folder of another deployment must not be taken for this one's. */
export interface StoreOwner {
  readonly chainId: number
  readonly rollup: string
}

export interface LevelFolderSettings {
  readonly folder: string
  readonly owner: StoreOwner
  /** `utf8`: keys are text. `view`: keys are bytes. */
  readonly keys: 'utf8' | 'view'
  /** Held in memory before it is sorted into a table. */
  readonly writeBufferBytes: number
}

/**
 * Opens `folder`/db, creating it only the first time: afterwards a missing file would otherwise open "fine" as an empty
 * database (LevelDB without its CURRENT file), and all would start over.
 */
export async function openLevelFolder<Key>(settings: LevelFolderSettings): Promise<Level<Key, Uint8Array>> {
  const { folder, owner } = settings
  mkdirSync(folder, { recursive: true })
  const marker = join(folder, MARKER)
  const begun = join(folder, BEGUN)
  const first = !existsSync(marker)
  if (first) {
    const isLost = existsSync(join(folder, 'db', 'CURRENT')) && !existsSync(begun)
    if (isLost) throw dataCorrupted(`${marker} is missing beside a database`)
    await writeAtomically(begun, '')
  } else checkMarker(marker, owner)
  const level = await openLevel<Key>(settings, first)
  if (first) await writeAtomically(marker, `${JSON.stringify({ format: FORMAT, ...owner })}\n`)
  rmSync(begun, { force: true })
  return level
}

/** Of a folder that was opened before in this process: after a failed write the library may refuse every further one. */
export function reopenLevelFolder<Key>(settings: LevelFolderSettings): Promise<Level<Key, Uint8Array>> {
  return openLevel(settings, false)
}

async function openLevel<Key>(
  { folder, keys, writeBufferBytes }: LevelFolderSettings,
  createIfMissing: boolean,
): Promise<Level<Key, Uint8Array>> {
  const path = join(folder, 'db')
  const level = new Level<Key, Uint8Array>(path, {
    createIfMissing,
    keyEncoding: keys,
    valueEncoding: 'view',
    writeBufferSize: writeBufferBytes,
  })
  try {
    await level.open()
    return level
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    const code = (cause as { code?: unknown }).code
    if (code === 'LEVEL_LOCKED') {
      throw new BackfeedError('STORE_LOCKED', `${path} is in use by another process`, {
        exitCode: ExitCode.usage,
        cause,
      })
    }
    if (isDiskFull(cause)) {
      throw storeFailed(`${path} cannot be opened: the disk is full`, cause)
    }
    throw dataCorrupted(`${path} cannot be opened`, {}, cause)
  }
}

/** LevelDB tells it in words only. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && /No space left on device|File too large|Disk quota exceeded/.test(error.message)
}

/** Whose data an existing folder holds, for tools that only look. @throws BackfeedError STORE_MISSING, DATA_CORRUPTED */
export function ownerOfFolder(folder: string): StoreOwner {
  const marker = join(folder, MARKER)
  if (!existsSync(marker)) {
    throw new BackfeedError('STORE_MISSING', `${folder} is no store`, { exitCode: ExitCode.usage })
  }
  const { chainId, rollup } = readMarker(marker)
  return { chainId: Number(chainId), rollup: String(rollup) }
}

function readMarker(marker: string): Record<string, unknown> {
  let held: unknown
  try {
    held = JSON.parse(readFileSync(marker, 'utf8'))
  } catch (cause) {
    throw dataCorrupted(`${marker} cannot be read`, {}, cause)
  }
  const fields = held as Record<string, unknown>
  if (fields.format === FORMAT) return fields
  throw dataCorrupted(`${marker} names format ${String(fields.format)}, this version reads ${FORMAT}`)
}

function checkMarker(marker: string, owner: StoreOwner): void {
  const { chainId, rollup } = readMarker(marker)
  if (chainId !== owner.chainId || rollup !== owner.rollup) {
    throw new BackfeedError(
      'WRONG_STORE',
      `${marker} belongs to rollup ${String(rollup)} on chain ${String(chainId)}`,
      {
        exitCode: ExitCode.usage,
      },
    )
  }
}
