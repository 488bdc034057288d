import { chmod, lstat, unlink } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { INTERVAL_SECONDS } from '../../protocol/limits.ts'
import { decodeRecord } from '../../protocol/record.ts'
import { resultName } from '../../protocol/wire.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Component, ComponentContext } from '../../runtime/service.ts'
import type { AgentDoors } from '../agent.ts'
import type { EvseConfig } from '../config.ts'
import { MAX_LINE_CONNECTIONS } from '../limits.ts'
import type { AnsweredRow } from '../outbox/outbox.ts'
import { HardwareLines } from './hardwareLines.ts'
import { LineSession } from './lineSession.ts'
import type { OutputLine } from './schema.ts'

/** Where the firmware connects: standard input and output, a Unix socket, or TCP on loopback. */
export class LineDoor implements Component {
  readonly name = 'lines'
  /** Commands go to every connection. */
  readonly hardware = new HardwareLines((line) => this.#broadcast(line))
  readonly #config: EvseConfig['input']
  readonly #log: Logger
  readonly #sessions = new Set<LineSession>()
  readonly #inputEnded = Promise.withResolvers<void>()
  #server: Server | undefined
  #doors: AgentDoors | undefined
  #stopListening: (() => void) | undefined

  constructor(config: EvseConfig['input'], log: Logger) {
    this.#config = config
    this.#log = log.child({ stage: 'lines' })
  }

  /** Before the start: to whom the lines go. */
  connect(doors: AgentDoors): this {
    this.#doors = doors
    return this
  }

  /** Of a TCP door. */
  get port(): number | undefined {
    const address = this.#server?.address()
    return typeof address === 'object' && address !== null ? (address as AddressInfo).port : undefined
  }

  async start(context: ComponentContext): Promise<void> {
    const { kind } = this.#config
    this.#stopListening = this.#doors!.onAnswered((row) => this.#broadcast(recordLine(row)))
    if (kind === 'none') return
    if (kind === 'stdio') {
      const session = this.#open({ input: process.stdin, output: process.stdout })
      void session.ended.then(() => this.#inputEnded.resolve())
      return
    }
    const server = createServer((socket) => this.#accept(socket))
    this.#server = server
    if (kind === 'unix') await removeDeadSocket(this.#config.path!)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      if (kind === 'unix') server.listen(this.#config.path!, resolve)
      else server.listen(this.#config.port, this.#config.host, resolve)
    })
    server.on('error', context.fail)
    if (kind === 'unix') await chmod(this.#config.path!, 0o600)
    this.#log.info({ kind, path: this.#config.path, port: this.port }, 'lines are taken')
  }

  async stop(): Promise<void> {
    this.#stopListening?.()
    for (const session of this.#sessions) session.close()
    const server = this.#server
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()))
    if (this.#config.kind === 'stdio') process.stdin.destroy()
  }

  /** Calls back once standard input has ended and its lines are answered. */
  onEnd(listener: () => void): void {
    void this.#inputEnded.promise.then(listener)
  }

  #accept(socket: Socket): void {
    if (this.#sessions.size >= MAX_LINE_CONNECTIONS) {
      this.#log.warn(`more than ${MAX_LINE_CONNECTIONS} connections: the newest is closed`)
      socket.destroy()
      return
    }
    socket.setNoDelay(true)
    const session = this.#open({ input: socket, output: socket })
    void session.ended.then(() => socket.end())
  }

  #open(streams: Pick<ConstructorParameters<typeof LineSession>[0], 'input' | 'output'>): LineSession {
    const session = new LineSession({ ...streams, doors: this.#doors!, hardware: this.hardware, log: this.#log })
    this.#sessions.add(session)
    void session.ended.then(() => {
      this.#sessions.delete(session)
      // Without the firmware nobody measures and nobody obeys.
      if (this.#sessions.size === 0) this.#doors!.linkLost()
    })
    return session
  }

  #broadcast(line: OutputLine): number {
    let reached = 0
    for (const session of this.#sessions) if (session.send(line)) reached++
    return reached
  }
}

function recordLine({ row, answer }: AnsweredRow): OutputLine {
  const { contract, start, intervals, energyWh } = decodeRecord(row)
  return {
    type: 'record',
    contract,
    startMs: start * INTERVAL_SECONDS * 1_000,
    endMs: (start + intervals) * INTERVAL_SECONDS * 1_000,
    energyWh,
    result: resultName(answer.code),
    position: answer.position,
    amountMicro: answer.amountMicro,
  }
}

/** A process that was killed leaves its socket behind. @throws BackfeedError SOCKET_IN_USE */
async function removeDeadSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  const inUse = (why: string): BackfeedError =>
    new BackfeedError('SOCKET_IN_USE', `${path} ${why}`, { exitCode: ExitCode.usage })
  if (!found.isSocket()) throw inUse('is there and is no socket')
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
  if (isAlive) throw inUse('is another process’s')
  await unlink(path)
}
