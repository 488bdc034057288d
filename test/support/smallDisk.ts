import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const FILLED_IN = [1 << 20, 1 << 12, 1]

/** A file system of a few megabytes that one process alone sees, in a mount namespace of its own. */
export interface SmallDisk {
  readonly folder: string
  readonly megabytes: number
}

/** A command that runs another on the small disk, under the same process id: to be put before it. */
export function onSmallDisk({ folder, megabytes }: SmallDisk): readonly string[] {
  return ['unshare', '-rm', 'sh', '-c', `mount -t tmpfs -o size=${megabytes}m tmpfs '${folder}' && exec "$@"`, 'sh']
}

/** Not everywhere may a user mount what only he sees. */
export function canMountSmallDisks(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'backfeed-disk-'))
  try {
    const [command, ...parameters] = [...onSmallDisk({ folder, megabytes: 1 }), 'true']
    return spawnSync(command!, parameters).status === 0
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Takes what room is left on the disk that the process sees, to the byte. @returns gives it back */
export function fillDisk(pid: number, { folder }: SmallDisk): () => void {
  const path = join(`/proc/${pid}/root`, folder, 'ballast')
  const file = openSync(path, 'w')
  for (const bytes of FILLED_IN) {
    const piece = Buffer.alloc(bytes)
    try {
      for (;;) if (writeSync(file, piece) < bytes) break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  closeSync(file)
  return () => rmSync(path)
}
