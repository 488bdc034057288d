import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Goes with `cleanup`, and also when the process is made to end before that. */
export function temporaryFolder(prefix: string, cleanup: AsyncDisposableStack): string {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  cleanup.defer(() => {
    process.off('exit', remove)
    remove()
  })
  return folder
}
