import type { Readable, Writable } from 'node:stream'
import { z } from 'zod'
import { BackfeedError, describeError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { AgentDoors } from '../agent.ts'
import { MAX_LINE_BACKLOG_BYTES, MAX_LINE_BYTES, MAX_LINES_UNDER_WAY } from '../limits.ts'
import type { HardwareLines } from './hardwareLines.ts'
import { type InputLine, inputLineSchema, type OutputLine } from './schema.ts'

export interface LineSessionSettings {
  readonly input: Readable
  readonly output: Writable
  readonly doors: AgentDoors
  readonly hardware: HardwareLines
  readonly log: Logger
}

const NEWLINE = 0x0a

/** One connection of the firmware. Lines are taken in their order; each is answered when it is done, durable ones once they are on disk. */
export class LineSession {
  /** Resolves when the input is over and every line of it is answered, or nobody reads the answers. */
  readonly ended: Promise<void>
  readonly #settings: LineSessionSettings
  #pieces: Buffer[] = []
  #pieceBytes = 0
  #line = 0
  #underWay = 0
  #isOver = false
  #end: () => void = () => {}

  constructor(settings: LineSessionSettings) {
    this.#settings = settings
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    const { input, output } = settings
    input.on('data', (piece: Buffer) => this.#take(piece))
    const over = (): void => {
      this.#isOver = true
      this.#endIfIdle()
    }
    input.on('end', () => {
      if (this.#pieceBytes > 0) this.#takeLine(Buffer.concat(this.#pieces))
      this.#pieces = []
      over()
    })
    input.on('close', over)
    input.on('error', over)
    output.on('error', () => this.close())
    output.on('close', () => this.close())
  }

  /** False when nobody reads. */
  send(line: OutputLine): boolean {
    const { output, log } = this.#settings
    if (!output.writable) return false
    if (output.writableLength > MAX_LINE_BACKLOG_BYTES) {
      log.error('a connection does not read its answers: closed')
      this.close()
      return false
    }
    output.write(`${JSON.stringify(line)}\n`)
    return true
  }

  close(): void {
    const { input, output } = this.#settings
    if (this.#isOver && this.#underWay === 0) return
    this.#isOver = true
    this.#underWay = 0
    input.destroy()
    if (output !== process.stdout) output.destroy()
    this.#end()
  }

  #take(piece: Buffer): void {
    let from = 0
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, from)) {
      const line = Buffer.concat([...this.#pieces, piece.subarray(from, at)])
      this.#pieces = []
      this.#pieceBytes = 0
      from = at + 1
      this.#takeLine(line)
    }
    if (from < piece.length) {
      this.#pieces.push(piece.subarray(from))
      this.#pieceBytes += piece.length - from
    }
    if (this.#pieceBytes > MAX_LINE_BYTES) {
      this.#refuse({ line: this.#line + 1 }, 'LINE_INVALID', `a line has at most ${MAX_LINE_BYTES} bytes`)
      this.close()
    }
  }

  #takeLine(bytes: Buffer): void {
    const line = ++this.#line
    if (bytes.length === 0) return
    const parsed = parseLine(bytes)
    if ('problem' in parsed) {
      this.#refuse({ line, id: parsed.id }, 'LINE_INVALID', parsed.problem)
      return
    }
    const { value } = parsed
    const { doors, hardware, input } = this.#settings
    if (value.type === 'telemetry') {
      const { type: _, ageMs, ...measured } = value
      doors.telemetry(measured as Parameters<AgentDoors['telemetry']>[0], ageMs)
      return
    }
    if (value.type === 'answer') {
      hardware.answer(value.command, value.answer)
      return
    }
    this.#underWay++
    if (this.#underWay >= MAX_LINES_UNDER_WAY) input.pause()
    void this.#carryOut(line, value).finally(() => {
      this.#underWay--
      if (this.#underWay < MAX_LINES_UNDER_WAY / 2 && !this.#isOver) input.resume()
      this.#endIfIdle()
    })
  }

  async #carryOut(line: number, value: Exclude<InputLine, { type: 'telemetry' | 'answer' }>): Promise<void> {
    const { doors, log } = this.#settings
    const about = { line, ...(value.id !== undefined && { id: value.id }) }
    try {
      switch (value.type) {
        case 'transaction': {
          const { contract, capacityWh } = value
          if (contract !== undefined && capacityWh !== undefined) await doors.learnContract(contract, capacityWh)
          this.send({ type: 'ack', ...about, result: await doors.take(eventOf(value)) })
          return
        }
        case 'sample': {
          const { type: _, id: __, transaction, seqNo, ...sample } = value
          const event = { kind: 'UPDATED', transaction, seqNo, atMs: sample.atMs, offline: false } as const
          const result = await doors.take({ ...event, contract: undefined, samples: [sampleOf(sample)] })
          this.send({ type: 'ack', ...about, result })
          return
        }
        case 'position':
          doors.position({ lat: value.lat, lon: value.lon }, value.ageMs)
          break
        case 'demand':
          doors.demand(value.watts, value.seconds * 1_000)
          break
        case 'reset':
          doors.reset()
          break
        case 'status':
          this.send({ type: 'status', ...about, status: doors.status() })
          return
        default:
          value satisfies never
      }
      this.send({ type: 'ack', ...about, result: 'DONE' })
    } catch (error) {
      const code = error instanceof BackfeedError ? error.code : 'INTERNAL_FAULT'
      const retryable = error instanceof BackfeedError && error.retryable
      if (!(error instanceof BackfeedError)) log.error({ err: error }, 'a line could not be taken')
      this.send({ type: 'error', ...about, code, message: describeError(error), retryable })
    }
  }

  #refuse(about: { line: number; id?: string | undefined }, code: string, message: string): void {
    this.send({ type: 'error', ...about, code, message, retryable: false })
  }

  #endIfIdle(): void {
    if (this.#isOver && this.#underWay === 0) this.#end()
  }
}

function parseLine(bytes: Buffer): { value: InputLine } | { problem: string; id?: string | undefined } {
  let raw: unknown
  try {
    raw = JSON.parse(bytes.toString('utf8'))
  } catch {
    return { problem: 'not JSON' }
  }
  const parsed = inputLineSchema.safeParse(raw)
  if (parsed.success) return { value: parsed.data }
  const id = z.object({ id: z.string().max(64) }).safeParse(raw).data?.id
  const problem = parsed.error.issues.map(({ path, message }) => `${path.join('.') || '(line)'}: ${message}`).join('; ')
  return { problem, id }
}

function eventOf(line: Extract<InputLine, { type: 'transaction' }>): Parameters<AgentDoors['take']>[0] {
  const kinds = { started: 'STARTED', updated: 'UPDATED', ended: 'ENDED' } as const
  const { transaction, seqNo, atMs, offline, contract, samples, evidence } = line
  return {
    kind: kinds[line.event],
    transaction,
    seqNo,
    atMs,
    offline,
    contract,
    samples: samples.map(sampleOf),
    evidence: evidence.map((text) => Buffer.from(text, 'base64')),
  }
}

function sampleOf(sample: {
  atMs: number
  exportWh?: number | undefined
  socPercent?: number | undefined
  tempC?: number | undefined
}): Parameters<AgentDoors['take']>[0]['samples'][number] {
  const { atMs, exportWh, socPercent, tempC } = sample
  return {
    atMs,
    ...(exportWh !== undefined && { exportMilliWh: Math.round(exportWh * 1_000) }),
    ...(socPercent !== undefined && { socBp: Math.round(socPercent * 100) }),
    ...(tempC !== undefined && { tempC }),
  }
}
