import { once } from 'node:events'
import { type AddressInfo, createServer, connect, type Server, type Socket } from 'node:net'
import Modbus from 'jsmodbus'

/** A Modbus TCP server on loopback, with registers that a test may write. */
export class ModbusDevice implements AsyncDisposable {
  readonly holding: Buffer
  readonly input: Buffer
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  connections = 0

  private constructor(server: Server, holding: Buffer, input: Buffer) {
    this.#server = server
    this.holding = holding
    this.input = input
    new Modbus.server.TCP(server, { holding, input })
    server.on('connection', (socket) => {
      this.connections++
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
  }

  static async listen(port: number, registers = 64): Promise<ModbusDevice> {
    const server = createServer()
    const device = new ModbusDevice(server, Buffer.alloc(registers * 2), Buffer.alloc(registers * 2))
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return device
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** What a wire does to an answer: gives other bytes, later, or none. */
export type Tamper = (answer: Buffer, send: (bytes: Uint8Array) => void, socket: Socket) => void

/** A wire between poller and device that a test may spoil. */
export class Wire implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  tamper: Tamper | undefined

  private constructor(devicePort: number) {
    this.#server = createServer((near) => {
      const far = connect(devicePort, '127.0.0.1')
      for (const socket of [near, far]) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => {
          near.destroy()
          far.destroy()
          this.#sockets.delete(socket)
        })
      }
      near.on('data', (bytes) => far.write(bytes))
      const send = (bytes: Uint8Array): void => void (near.writable && near.write(bytes))
      far.on('data', (bytes) => {
        if (this.tamper === undefined) send(bytes)
        else this.tamper(bytes, send, near)
      })
    })
  }

  static async to(device: ModbusDevice): Promise<Wire> {
    const wire = new Wire(device.port)
    wire.#server.listen(0, '127.0.0.1')
    await once(wire.#server, 'listening')
    return wire
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
