import { readFileSync, statSync } from 'node:fs'
import { SecretKey } from '@chainsafe/blst'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { fromHex } from '../bytes.ts'

/**
 * A BLS secret key from a file with 32 bytes of hex. Refuses one that others may read: whoever copies an attester's key can have its
 * stake slashed.
 */
export function readBlsKeyFile(path: string): SecretKey {
  let text: string
  let mode: number
  try {
    mode = statSync(path).mode
    text = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new BackfeedError('KEY_UNREADABLE', `cannot read the key file ${path}`, { exitCode: ExitCode.usage, cause })
  }
  if ((mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8)
    throw new BackfeedError('KEY_EXPOSED', `${path} has mode ${shown}: others can read it; chmod 600`, {
      exitCode: ExitCode.usage,
    })
  }
  try {
    if (!/^(0x)?[0-9a-fA-F]{64}$/.test(text)) throw new RangeError('not 32 bytes of hex')
    return SecretKey.fromBytes(fromHex(text))
  } catch (cause) {
    throw new BackfeedError('KEY_INVALID', `${path} does not hold a BLS secret key`, {
      exitCode: ExitCode.usage,
      cause,
    })
  }
}
