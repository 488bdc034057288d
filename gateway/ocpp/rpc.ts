import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'
import { createRPCError, createValidator, RPCServer } from 'ocpp-rpc'
import type { OcppVersion } from './config.ts'

// ocpp-rpc as this gateway uses it. The types it ships name every option as required and know no session, so they are narrowed here once.

export interface RpcCall {
  readonly messageId: string
  readonly method: string
  /** Checked by the standard's JSON schema before a handler sees it. */
  readonly params: unknown
}

export interface Handshake {
  readonly identity: string
  /** Offered by the station. */
  readonly protocols: ReadonlySet<string>
  readonly endpoint: string
  readonly remoteAddress: string | undefined
  /** Only when the user name was the identity. */
  readonly password: Uint8Array | undefined
  readonly request: IncomingMessage
}

export interface CloseOptions {
  readonly code?: number
  readonly reason?: string
  readonly awaitPending?: boolean
  readonly force?: boolean
}

/** A station's connection, from the server's side. */
export interface RpcConnection extends EventEmitter {
  readonly identity: string
  readonly protocol: string | undefined
  readonly handshake: Handshake
  handle(method: string, handler: (call: RpcCall) => Promise<unknown>): void
  /** `callTimeoutMs` 0: the signal alone ends the wait. */
  call(method: string, params: unknown, options: { callTimeoutMs: number; signal: AbortSignal }): Promise<unknown>
  close(options: CloseOptions): Promise<unknown>
}

export interface RpcServer extends EventEmitter {
  auth(
    callback: (
      accept: (session: object, protocol: string | false) => void,
      reject: (code: number, message: string) => void,
      handshake: Handshake,
    ) => Promise<void> | void,
  ): void
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>
  close(options: CloseOptions): Promise<void>
}

export interface RpcServerSettings {
  readonly protocols: readonly OcppVersion[]
  readonly callTimeoutMs: number
  readonly pingIntervalMs: number
  readonly maxBadMessages: number
  readonly maxMessageBytes: number
}

/** Strict for every version; never listens by itself. */
export function createRpcServer(settings: RpcServerSettings): RpcServer {
  const server = new RPCServer({
    protocols: [...settings.protocols],
    strictMode: true,
    strictModeValidators: [validator21()],
    callTimeoutMs: settings.callTimeoutMs,
    pingIntervalMs: settings.pingIntervalMs,
    deferPingsOnActivity: true,
    callConcurrency: 1,
    maxBadMessages: settings.maxBadMessages,
    // Compression costs 300 KB a connection and buys little on messages this short.
    wssOptions: { maxPayload: settings.maxMessageBytes, perMessageDeflate: false },
  })
  return server as unknown as RpcServer
}

/** Becomes a CALLERROR: the station keeps a transaction's message and sends it again. */
export function rpcError(
  code: 'InternalError' | 'FormatViolation' | 'PropertyConstraintViolation' | 'NotSupported',
  message: string,
): Error {
  return createRPCError(code, message) as unknown as Error
}

let made21: ReturnType<typeof createValidator> | undefined

/**
 * ocpp-rpc looks for `urn:X.req` and `urn:X.conf`, but its schemas of 2.1 are named `urn:XRequest` and `urn:XResponse`. They also say of
 * lists of words which further properties they may have, at which Ajv complains to the console.
 */
export function validator21(): ReturnType<typeof createValidator> {
  if (made21 !== undefined) return made21
  const schemas = createRequire(import.meta.url)('ocpp-rpc/lib/schemas/ocpp2_1.json') as Schema[]
  const renamed = schemas.map(({ definitions = {}, ...schema }) => ({
    ...schema,
    $id: schema.$id.replace(/Request$/, '.req').replace(/Response$/, '.conf'),
    definitions: Object.fromEntries(
      Object.entries(definitions).map(([name, definition]) => [name, tidied(definition)]),
    ),
  }))
  made21 = createValidator('ocpp2.1', renamed)
  return made21
}

interface Schema {
  readonly $id: string
  readonly definitions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

function tidied({ additionalProperties, ...definition }: Readonly<Record<string, unknown>>): object {
  return additionalProperties === undefined || definition.type !== 'object'
    ? definition
    : { ...definition, additionalProperties }
}
