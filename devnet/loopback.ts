import type { AddressInfo, Server } from 'node:net'

export interface Listening {
  readonly port: number
  /** Ends its connections too. */
  close(): Promise<void>
}

/** Has a server listen on loopback; 0: on a free port. */
export async function listenOnLoopback(
  server: Server & { closeAllConnections?(): void },
  port = 0,
): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections?.()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
