import { open } from 'node:fs/promises'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { MAX_SECRET_FILE_BYTES } from './limits.ts'

/**
 * Reads a private key or a PIN that nobody else may read. The mode is asked of the open file, so that it is the file that is read.
 * @throws BackfeedError ERR_AUTH_EXPIRED (reason PERMISSIONS) when others may read it or it is another user's: field guides know this
 * mistake under the same code as an expired certificate, and the message tells the two apart; KEY_UNREADABLE
 */
export async function readSecretFile(path: string): Promise<Buffer> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(path, cause)
  })
  try {
    const { mode, uid, size } = await file.stat()
    const bits = mode & 0o777
    if (bits !== 0o600 && bits !== 0o400) {
      throw permissions(path, `has mode ${bits.toString(8)}: chmod 600 ${path}`)
    }
    const user = process.getuid?.()
    if (user !== undefined && uid !== user) {
      throw permissions(path, `belongs to user ${uid}, this process runs as ${user}: chown ${user} ${path}`)
    }
    if (size > MAX_SECRET_FILE_BYTES) throw unreadable(path, new RangeError(`${size} bytes are no key`))
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/** A user's PIN: the file's first line. */
export async function readPinFile(path: string): Promise<string> {
  const pin = (await readSecretFile(path)).toString('utf8').split(/\r?\n/, 1)[0]!
  if (pin === '') throw unreadable(path, new RangeError('the file is empty'))
  return pin
}

function permissions(path: string, what: string): BackfeedError {
  return new BackfeedError('ERR_AUTH_EXPIRED', `${path} ${what}`, {
    exitCode: ExitCode.usage,
    details: { reason: 'PERMISSIONS', path },
  })
}

function unreadable(path: string, cause: unknown): BackfeedError {
  return new BackfeedError('KEY_UNREADABLE', `cannot read ${path}`, { exitCode: ExitCode.usage, cause })
}
