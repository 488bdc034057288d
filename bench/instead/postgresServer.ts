import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../devnet/freePort.ts'
import { spawnLeashed } from '../../devnet/leash.ts'
import { pause } from '../../runtime/wait.ts'

const FOLDER = '/usr/lib/postgresql'
/** PostgreSQL refuses to run as root; its Debian package brings this user. */
const USER = 'postgres'

/** Where Debian puts the programs of its newest version; undefined when it is not installed. */
export function postgresPrograms(): string | undefined {
  if (!existsSync(FOLDER)) return undefined
  const [newest] = readdirSync(FOLDER).sort((a, b) => Number(b) - Number(a))
  const programs = join(FOLDER, newest ?? '', 'bin')
  return existsSync(join(programs, 'initdb')) ? programs : undefined
}

/** A server with an empty database of its own on loopback, durable as it comes: `synchronous_commit` and `fsync` are on. */
export async function startPostgres(programs: string): Promise<AsyncDisposable & { readonly url: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'backfeed-postgres-'))
  const asUser = process.getuid?.() === 0 ? ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--init-groups'] : []
  if (asUser.length > 0) {
    const id = Number(spawnSync('id', ['-u', USER], { encoding: 'utf8' }).stdout)
    chownSync(folder, id, id)
  }
  const data = join(folder, 'data')
  const [command, ...parameters] = [...asUser, join(programs, 'initdb'), '-D', data, '-A', 'trust', '-U', USER, '-N']
  const made = spawnSync(command!, parameters, { encoding: 'utf8', cwd: folder })
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`)
  const port = await freePort()
  const [server, ...flags] = [...asUser, join(programs, 'postgres'), '-D', data, '-p', String(port), '-k', folder]
  const running = spawnLeashed(server!, [...flags, '-c', 'listen_addresses=127.0.0.1'], { stderr: 'pipe' })
  running.child.stderr?.resume()
  const ready = [join(programs, 'pg_isready'), '-h', '127.0.0.1', '-p', String(port), '-q'] as const
  for (let i = 0; spawnSync(ready[0], ready.slice(1)).status !== 0; i++) {
    if (i > 200) throw new Error('PostgreSQL does not start')
    await pause(50)
  }
  return {
    url: `postgres://${USER}@127.0.0.1:${port}/postgres`,
    [Symbol.asyncDispose]: async () => {
      await running.release()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
