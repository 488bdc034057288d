import { createServer } from 'node:http'
import { listenOnLoopback } from '../../devnet/loopback.ts'

/** A utility that wants all of the fleet to feed in, for the hours around now: an OpenADR 3 VTN with one program and one event. */
export async function startUtility(wantedW: number): Promise<AsyncDisposable & { readonly url: string }> {
  const beganMs = Date.now() - 3_600_000
  const descriptor = { objectType: 'EVENT_PAYLOAD_DESCRIPTOR', payloadType: 'DISPATCH_SETPOINT', units: 'W' }
  const event = {
    id: 'peak',
    objectType: 'EVENT',
    programID: 'p1',
    createdDateTime: new Date(beganMs).toISOString(),
    intervalPeriod: { start: new Date(beganMs).toISOString(), duration: 'PT4H' },
    payloadDescriptors: [descriptor],
    intervals: [{ id: 0, payloads: [{ type: 'DISPATCH_SETPOINT', values: [wantedW] }] }],
  }
  const lists: Readonly<Record<string, readonly object[]>> = {
    '/programs': [{ id: 'p1', objectType: 'PROGRAM', programName: 'V2G' }],
    '/events': [event],
  }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://utility')
    const list = lists[pathname]?.slice(Number(searchParams.get('skip') ?? 0))
    response.writeHead(list === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(list))
  })
  const { port, close } = await listenOnLoopback(server)
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close }
}
