import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { readSecretFile } from '../../runtime/secretFile.ts'
import { MAX_SECRET_FILE_BYTES } from './limits.ts'

/** A private key of ours, or what unlocks one. @throws BackfeedError ERR_AUTH_EXPIRED (reason PERMISSIONS), KEY_UNREADABLE */
export function readOwnKey(path: string): Buffer {
  return readSecretFile(path, { unreadable: 'KEY_UNREADABLE', isOurs: true, maxBytes: MAX_SECRET_FILE_BYTES })
}

/** A user's PIN: the file's first line. @throws BackfeedError ERR_AUTH_EXPIRED (reason PERMISSIONS), KEY_UNREADABLE */
export function readPinFile(path: string): string {
  const pin = readOwnKey(path).toString('utf8').split(/\r?\n/, 1)[0]!
  if (pin === '') {
    const cause = new RangeError('the file is empty')
    throw new BackfeedError('KEY_UNREADABLE', `cannot read ${path}`, { exitCode: ExitCode.usage, cause })
  }
  return pin
}
