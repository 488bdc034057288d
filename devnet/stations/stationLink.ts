import { RPCClient } from 'ocpp-rpc'
import type { OcppVersion } from '../../gateway/ocpp/config.ts'
import { validator21 } from '../../gateway/ocpp/rpc.ts'

export interface LinkSettings {
  readonly id: string
  /** ws://host:port or wss://host:port; the id is added. */
  readonly url: string
  readonly version: OcppVersion
  readonly password?: string
  /** PEM, for wss. */
  readonly tls?: { readonly ca: string; readonly certificate?: string; readonly key?: string }
  /** Checks what is sent and what comes by the standard's schemas. Costs CPU. Default false. */
  readonly strict?: boolean
}

/** A station's WebSocket. ocpp-rpc's own types ask for every option. */
export interface StationLink {
  handle(method: string, handler: (call: { params: never }) => Promise<object>): void
  call(method: string, params: object): Promise<unknown>
  sendRaw(message: string): void
  connect(): Promise<unknown>
  close(options: { force?: boolean; code?: number }): Promise<unknown>
  once(event: 'close', listener: (close: { code: number }) => void): void
}

export function createLink({ id, url, version, password, tls, strict }: LinkSettings): StationLink {
  const options = {
    identity: id,
    endpoint: url,
    protocols: [version],
    // The station itself decides when it comes back.
    reconnect: false,
    strictMode: strict ?? false,
    strictModeValidators: [validator21()],
    ...(password === undefined ? {} : { password }),
    wsOpts: {
      perMessageDeflate: false,
      ...(tls === undefined ? {} : { ca: tls.ca, cert: tls.certificate, key: tls.key }),
    },
  }
  return new RPCClient(options as never) as unknown as StationLink
}
