import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { readSecretFile } from '../../runtime/secretFile.ts'
import type { OcppConfig } from './config.ts'
import { HANDSHAKE_TIMEOUT_MS } from './limits.ts'

type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>

/** The TCP side: answers upgrades alone. */
export interface Listener {
  readonly server: Server
  readonly secure: boolean
  readonly port: number
}

/** @throws BackfeedError LISTEN_FAILED; CONFIG_UNREADABLE, CONFIG_INVALID, ERR_AUTH_EXPIRED for the TLS files */
export async function listenForStations(config: OcppConfig, upgrade: Upgrade): Promise<Listener[]> {
  const listeners: Listener[] = []
  const open = async (server: Server, port: number, secure: boolean): Promise<void> => {
    listeners.push({ server, secure, port: await listen(server, config, port, upgrade) })
  }
  try {
    if (config.tls === undefined) await open(createServer(), config.port, false)
    else {
      await open(createTlsServer(tlsOptions(config.tls)), config.port, true)
      if (config.plainPort !== undefined) await open(createServer(), config.plainPort, false)
    }
  } catch (error) {
    for (const { server } of listeners) server.close()
    throw error
  }
  return listeners
}

function tlsOptions(tls: NonNullable<OcppConfig['tls']>): object {
  return {
    cert: readTlsFile('certificateFile', tls.certificateFile),
    key: readSecretFile(tls.keyFile, { unreadable: 'CONFIG_UNREADABLE', key: 'ocpp.tls.keyFile' }),
    ...(tls.clientCaFile === undefined ? {} : { ca: readTlsFile('clientCaFile', tls.clientCaFile) }),
    // Asked of everybody, checked where the profile asks for it: so an expired one can be told from a wrong one, by name of the station.
    requestCert: tls.clientCaFile !== undefined,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2', // OCPP 2.0.1 A00.FR.307
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  }
}

function readTlsFile(key: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    const usage = { exitCode: ExitCode.usage, cause }
    throw new BackfeedError('CONFIG_UNREADABLE', `ocpp.tls.${key}: cannot read ${path}`, usage)
  }
}

async function listen(server: Server, config: OcppConfig, port: number, upgrade: Upgrade): Promise<number> {
  server.maxConnections = config.maxConnections
  server.headersTimeout = HANDSHAKE_TIMEOUT_MS
  server.requestTimeout = HANDSHAKE_TIMEOUT_MS
  server.on('request', (_request, response) => {
    response.writeHead(426, { connection: 'close' }).end()
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    // ocpp-rpc decodes the path before it catches anything: a bad escape there would end the process.
    if (!isDecodable(request.url)) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
      return
    }
    upgrade(request, socket, head).catch(() => socket.destroy())
  })
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const where = `ocpp: cannot listen on ${config.host}:${port}`
      reject(new BackfeedError('LISTEN_FAILED', where, { exitCode: ExitCode.usage, cause }))
    })
    server.listen(port, config.host, resolve)
  })
  return (server.address() as AddressInfo).port
}

function isDecodable(url: string | undefined): boolean {
  try {
    const { pathname } = new URL(`http://localhost${url ?? '/'}`)
    decodeURIComponent(pathname)
    return true
  } catch {
    return false
  }
}
