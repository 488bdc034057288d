import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP relay on loopback whose links can be cut, and whose far end may move. */
export async function cuttableProxy(): Promise<
  AsyncDisposable & {
    port: number
    target: number | undefined
    /** Hears what has gone back to whoever connected. */
    onNear: ((bytes: Buffer) => void) | undefined
    cut: () => void
    carried: () => number
  }
> {
  const sockets = new Set<Socket>()
  let carried = 0
  const proxy = {
    target: undefined as number | undefined,
    onNear: undefined as ((bytes: Buffer) => void) | undefined,
  }
  const server = createServer((near) => {
    if (proxy.target === undefined) {
      near.destroy()
      return
    }
    carried++
    const far = connect(proxy.target, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    near.pipe(far).pipe(near)
    far.on('data', (bytes: Buffer) => proxy.onNear?.(bytes))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return Object.assign(proxy, {
    port: (server.address() as AddressInfo).port,
    cut,
    carried: () => carried,
    [Symbol.asyncDispose]: async () => {
      cut()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  })
}
