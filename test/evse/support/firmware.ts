import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLI } from '../../support/commandLine.ts'
import { spawnNode } from '../../support/nodeProcess.ts'

export type Line = Record<string, unknown> & { readonly type: string }

/** `backfeed evse` as a process of its own. */
export function spawnAgent(config: string, stdio: 'pipe' | 'ignore' = 'ignore'): ChildProcess {
  const log = process.env.TEST_LOG === undefined ? 'ignore' : 'inherit'
  return spawnNode(CLI, ['evse', '--config', config], [stdio, stdio, log])
}

/** A charger's firmware: keeps every line until it is acknowledged, and sends what is left again, in order, after each connection. */
export class Firmware {
  readonly said: Line[] = []
  readonly results: string[] = []
  readonly #path: string
  readonly #unacknowledged = new Map<string, string>()
  #socket: Socket | undefined
  #next = 0
  onLine: (line: Line) => void = () => {}

  constructor(path: string) {
    this.#path = path
  }

  get unacknowledged(): number {
    return this.#unacknowledged.size
  }

  send(line: Line): void {
    const id = `l${this.#next++}`
    const text = `${JSON.stringify({ ...line, id })}\n`
    this.#unacknowledged.set(id, text)
    this.#socket?.write(text)
  }

  /** Not kept: telemetry and answers. */
  say(line: Line): void {
    this.#socket?.write(`${JSON.stringify(line)}\n`)
  }

  /** Waits until somebody listens. */
  async connect(): Promise<void> {
    for (;;) {
      const socket = connect(this.#path)
      try {
        await once(socket, 'connect')
        this.#attach(socket)
        return
      } catch {
        await sleep(20)
      }
    }
  }

  disconnect(): void {
    this.#socket?.destroy()
  }

  #attach(socket: Socket): void {
    this.#socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined
    })
    const lines = createInterface({ input: socket })
    lines.on('error', () => {})
    lines.on('line', (text) => {
      const line = JSON.parse(text) as Line
      this.said.push(line)
      if (line.type === 'ack') {
        this.#unacknowledged.delete(line.id as string)
        this.results.push(line.result as string)
      }
      this.onLine(line)
    })
    for (const text of this.#unacknowledged.values()) socket.write(text)
  }
}
