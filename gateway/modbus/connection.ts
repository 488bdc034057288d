import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import Modbus from 'jsmodbus'
import { BackfeedError, describeError } from '../../runtime/errors.ts'
import type { Block } from './registerMap.ts'

/** The longest answer is 260 bytes (Modbus messaging on TCP/IP 1.0b, clause 4.1). jsmodbus keeps what it cannot read for ever, so more ends the connection. */
const MAX_ANSWER_BYTES = 1_024
/** Unit id, function code, count of bytes. */
const ANSWER_HEAD_BYTES = 3

export interface ConnectionSettings {
  readonly host: string
  readonly port: number
  readonly unitId: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * One connection, one request at a time. After anything that may leave an answer under way (no answer in time, nonsense) it is closed: the next
 * answer could belong to an earlier question.
 */
export class ModbusConnection {
  readonly #socket: Socket
  readonly #client: InstanceType<typeof Modbus.client.TCP>
  #unread = 0

  private constructor(socket: Socket, settings: ConnectionSettings) {
    this.#socket = socket
    // Before it connects: jsmodbus believes itself offline until it has heard the event.
    this.#client = new Modbus.client.TCP(socket, settings.unitId, settings.timeoutMs)
    socket.on('data', (chunk) => {
      this.#unread += chunk.length
      if (this.#unread > MAX_ANSWER_BYTES) socket.destroy()
    })
    // Told by the request that fails of it.
    socket.on('error', () => {})
    const end = (): void => void socket.destroy()
    settings.signal.addEventListener('abort', end, { once: true })
    socket.on('close', () => settings.signal.removeEventListener('abort', end))
  }

  /** @throws BackfeedError MODBUS_UNREACHABLE */
  static async open(settings: ConnectionSettings): Promise<ModbusConnection> {
    const { host, port, timeoutMs, signal } = settings
    const socket = connect({ host, port, noDelay: true, keepAlive: true })
    const connection = new ModbusConnection(socket, settings)
    try {
      await once(socket, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) })
      return connection
    } catch (cause) {
      socket.destroy()
      throw failure('MODBUS_UNREACHABLE', `no connection to ${host}:${port}`, cause)
    }
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable
  }

  /**
   * The registers of a block, two bytes each.
   * @throws BackfeedError MODBUS_EXCEPTION (the connection stays), MODBUS_TIMEOUT, MODBUS_PROTOCOL, MODBUS_UNREACHABLE (it is closed)
   */
  async read(block: Block): Promise<Uint8Array> {
    this.#unread = 0
    const { address, count } = block
    const what = `registers ${address}–${address + count - 1} of function ${block.function}`
    try {
      const asked =
        block.function === 3
          ? this.#client.readHoldingRegisters(address, count)
          : this.#client.readInputRegisters(address, count)
      const { response } = await asked
      const bytes = response.body.valuesAsBuffer
      const isWhole = bytes.length === 2 * count && response.bodyLength === ANSWER_HEAD_BYTES + 2 * count
      if (!isWhole) throw failure('MODBUS_PROTOCOL', `${what}: an answer of another length`, undefined)
      return bytes
    } catch (error) {
      const told = error instanceof BackfeedError ? error : this.#translate(error, what)
      if (told.code !== 'MODBUS_EXCEPTION') this.close()
      throw told
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  #translate(error: unknown, what: string): BackfeedError {
    const kind = kindOf(error)
    switch (kind) {
      case 'ModbusException':
        return failure('MODBUS_EXCEPTION', `${what}: the device refuses`, error)
      case 'Timeout':
        return failure('MODBUS_TIMEOUT', `${what}: no answer in time`, error)
      case 'OutOfSync':
      case 'Protocol':
        return failure('MODBUS_PROTOCOL', `${what}: an answer to something else`, error)
      default:
        if (this.#unread > MAX_ANSWER_BYTES)
          return failure('MODBUS_PROTOCOL', `${what}: more than any answer has`, error)
        return failure('MODBUS_UNREACHABLE', `${what}: the connection ended`, error)
    }
  }
}

/** jsmodbus rejects with an object of its own that is no Error. */
function kindOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'err' in error ? error.err : undefined
}

function failure(code: string, message: string, cause: unknown): BackfeedError {
  const told =
    typeof cause === 'object' && cause !== null && 'message' in cause && !(cause instanceof Error)
      ? new Error(String(cause.message))
      : cause
  const text = told instanceof Error ? `${message} (${describeError(told)})` : message
  return new BackfeedError(code, text, { retryable: true, ...(told !== undefined && { cause: told }) })
}
