import { existsSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { startDevnetBroker } from '../../devnet/broker.ts'
import { freePort } from '../../devnet/freePort.ts'
import { spawnLeashed } from '../../devnet/leash.ts'
import { pause } from '../../runtime/wait.ts'

export interface BenchBroker extends AsyncDisposable {
  readonly url: string
  /** 1: mosquitto, as in production. 0: the devnet's own, in the benchmark's process. */
  readonly isMosquitto: 0 | 1
}

const MOSQUITTO = '/usr/sbin/mosquitto'
const START_TRIES = 500

/** mosquitto where it is installed. Without TLS and access rules: they are the broker's work, not the gateway's. */
export async function startBenchBroker(folder: string): Promise<BenchBroker> {
  if (!existsSync(MOSQUITTO)) {
    const { url, close } = await startDevnetBroker()
    return { url, isMosquitto: 0, [Symbol.asyncDispose]: close }
  }
  const port = await freePort()
  const config = join(folder, 'mosquitto.conf')
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'set_tcp_nodelay true', 'log_type none']
  writeFileSync(config, `${lines.join('\n')}\nmax_inflight_messages 64\nmax_queued_messages 100000\n`)
  const { exited, release } = spawnLeashed(MOSQUITTO, ['-c', config])
  let isGone = false
  void exited.then(() => (isGone = true))
  for (let tries = 0; !(await isOpen(port)); tries++) {
    if (isGone || tries > START_TRIES) throw new Error('mosquitto did not start')
    await pause(20)
  }
  return { url: `mqtt://127.0.0.1:${port}`, isMosquitto: 1, [Symbol.asyncDispose]: async () => void (await release()) }
}

async function isOpen(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
