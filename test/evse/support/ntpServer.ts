import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { encodeNtpAnswer, type NtpAnswer } from '../../../evse/clock/ntpPacket.ts'

/** An NTP server on loopback. `answer` may change what it says, or say nothing. */
export async function ntpServer(
  answer: (request: Uint8Array) => Partial<NtpAnswer> | Uint8Array | undefined,
  now: () => number,
): Promise<AsyncDisposable & { address: string; socket: Socket; requests: () => number }> {
  const socket = createSocket('udp4')
  let requests = 0
  socket.on('message', (request, from) => {
    requests++
    const said = answer(request)
    if (said === undefined) return
    const defaults = { stratum: 2, rootDelayMs: 1, rootDispersionMs: 1, receivedMs: now(), sentMs: now() }
    const packet = said instanceof Uint8Array ? said : encodeNtpAnswer(request, { ...defaults, ...said })
    socket.send(packet, from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    socket,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      socket.close()
    },
  }
}
