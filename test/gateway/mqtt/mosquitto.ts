import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../../devnet/freePort.ts'
import { untilWithin } from '../../support/until.ts'
import type { Pki } from './pki.ts'

const BINARY = '/usr/sbin/mosquitto'
const DEPLOY = fileURLToPath(new URL('../../../deploy/mosquitto/', import.meta.url))

/** For `skip`: mosquitto is Debian's, and not everywhere. */
export const withoutMosquitto: string | false = existsSync(BINARY) ? false : `${BINARY} is not installed`

export interface Mosquitto {
  readonly url: string
  readonly port: number
  start(): Promise<void>
  /** SIGTERM: it saves its sessions. */
  stop(): Promise<void>
  /** SIGKILL: what came since the last save is lost. */
  kill(): Promise<void>
}

/** The configuration that is shipped, with other places for its files. `edit` changes its text further. */
export async function startMosquitto(pki: Pki, edit: (conf: string) => string = (conf) => conf): Promise<Mosquitto> {
  const [data, config] = [join(pki.folder, 'data'), join(pki.folder, 'mosquitto.conf')]
  await mkdir(data, { recursive: true })
  const broker = await pki.issue('broker')
  await copyFile(broker.certFile, join(pki.folder, 'broker.pem'))
  await copyFile(join(DEPLOY, 'acl'), join(pki.folder, 'acl'))
  const port = await freePort()
  const shipped = await readFile(join(DEPLOY, 'mosquitto.conf'), 'utf8')
  const placed = shipped
    .replace(/^listener 8883$/m, `listener ${port} 127.0.0.1`)
    .replaceAll('/etc/mosquitto/backfeed', pki.folder)
    .replaceAll('/var/lib/mosquitto/', `${data}/`)
  // As root, mosquitto would go on as another user, who may not read the folder.
  await writeFile(config, edit(`user root\n${placed}`))
  let process: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = process
    process = undefined
    if (ending === undefined) return
    const exited = once(ending, 'exit')
    ending.kill(signal)
    await exited
  }
  const start = async (): Promise<void> => {
    let said = ''
    const started = spawn(BINARY, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    started.stderr.on('data', (text: Buffer) => {
      said += text.toString()
    })
    process = started
    await untilWithin(120)('mosquitto listens', async () => {
      if (started.exitCode !== null) throw new Error(`mosquitto did not start: ${said}`)
      return await isOpen(port)
    })
  }
  await start()
  return { url: `mqtts://127.0.0.1:${port}`, port, start, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
