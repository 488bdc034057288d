import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { listenOnLoopback } from './loopback.ts'

/** Below what systems choose from by themselves: Linux from 32768 on, others from 49152. Above what services are known by. */
const FIRST = 16_384
const END = 32_768

/**
 * A port that nobody listens on at the moment. It is of those that systems give to nobody who asks for any port, so that no other server of this
 * machine gets it between this answer and its use, nor while whoever uses it restarts.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    try {
      const { port, close } = await listenOnLoopback(createServer(), randomInt(FIRST, END))
      await close()
      return port
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
}
