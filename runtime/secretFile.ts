import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { BackfeedError, ExitCode } from './errors.ts'

export interface SecretFileRules {
  /** Code for a file that cannot be read. */
  readonly unreadable: string
  /** Key of the configuration that names the file, for people. */
  readonly key?: string
  /** Whether it must belong to the user we run as: root may read files of any user, who may then read and change them as well. */
  readonly isOurs?: boolean
  /** Default: any. */
  readonly maxBytes?: number
}

/**
 * Reads what nobody else may read: mode 600 or 400. The mode is asked of the open file, so that it is the file that is read.
 * @throws BackfeedError ERR_AUTH_EXPIRED (reason PERMISSIONS) when others may: field guides know this mistake under the same code as an
 * expired certificate, and the message tells the two apart; `unreadable`
 */
export function readSecretFile(path: string, rules: SecretFileRules): Buffer {
  const { isOurs = false, maxBytes = Number.POSITIVE_INFINITY } = rules
  const name = rules.key === undefined ? '' : `${rules.key}: `
  const permissions = (what: string): BackfeedError =>
    new BackfeedError('ERR_AUTH_EXPIRED', `${name}${path} ${what}`, {
      exitCode: ExitCode.usage,
      details: { reason: 'PERMISSIONS', path },
    })
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const { mode, uid, size } = fstatSync(file)
    const bits = mode & 0o777
    if (bits !== 0o600 && bits !== 0o400) {
      throw permissions(`has mode ${bits.toString(8)}: chmod 600 ${path} (a secret is of mode 600 or 400)`)
    }
    const user = process.getuid?.()
    if (isOurs && user !== undefined && uid !== user) {
      throw permissions(`belongs to user ${uid}, this process runs as ${user}: chown ${user} ${path}`)
    }
    if (size > maxBytes) throw new RangeError(`it has ${size} bytes, more than ${maxBytes}`)
    return readFileSync(file)
  } catch (cause) {
    if (cause instanceof BackfeedError) throw cause
    throw new BackfeedError(rules.unreadable, `${name}cannot read ${path}`, { exitCode: ExitCode.usage, cause })
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
