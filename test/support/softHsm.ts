import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const SOFTHSM_MODULE = '/usr/lib/softhsm/libsofthsm2.so'
export const TOKEN = 'edge'
export const PIN = '2468'

/** A test's `skip`: false where SoftHSM2 and the native package are there. */
export async function skipWithoutSoftHsm(): Promise<string | false> {
  if (!existsSync(SOFTHSM_MODULE)) return `no ${SOFTHSM_MODULE}: apt install softhsm2`
  try {
    await import('pkcs11js')
    return false
  } catch {
    return 'the optional package pkcs11js is not installed'
  }
}

export interface SoftHsm extends AsyncDisposable {
  readonly folder: string
  /** Where its tokens are; moving it away is pulling them out. */
  readonly tokens: string
  readonly pinFile: string
  /** Something for SOFTHSM2_CONF. */
  readonly conf: string
}

/** A token of its own in a temporary folder. The library reads SOFTHSM2_CONF of the process when it is initialised. */
export async function makeSoftHsm(): Promise<SoftHsm> {
  const folder = await mkdtemp(join(tmpdir(), 'softhsm-'))
  const tokens = join(folder, 'tokens')
  const conf = join(folder, 'softhsm2.conf')
  const pinFile = join(folder, 'pin')
  await mkdir(tokens)
  await writeFile(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`)
  await writeFile(pinFile, `${PIN}\n`)
  await chmod(pinFile, 0o600)
  process.env.SOFTHSM2_CONF = conf
  execFileSync('softhsm2-util', ['--init-token', '--free', '--label', TOKEN, '--pin', PIN, '--so-pin', '1357'])
  return {
    folder,
    tokens,
    pinFile,
    conf,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
