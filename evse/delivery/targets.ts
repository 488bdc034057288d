import { createHttpClient } from '../../client/http.ts'
import { createLibp2pClient } from '../../client/libp2p.ts'
import type { ReceiptVerifier } from '../../client/receiptVerifier.ts'
import type { RecordClient } from '../../client/recordClient.ts'
import { z } from 'zod'

/** `http://…` or `https://…`, or a libp2p multiaddress with the sequencer's peer id. */
export const sequencerAddressSchema = z
  .string()
  .regex(/^(https?:\/\/[^\s/]+\S*|\/\S+\/p2p\/[A-Za-z0-9]+)$/, 'https://host:port, or /dns4/host/tcp/4301/p2p/12D3…')

export interface TargetSettings {
  readonly receipts: ReceiptVerifier | 'unchecked'
  /** For one request, milliseconds. Default 35 000. */
  readonly timeoutMs?: number
}

/** Clients for the sequencer's addresses of a lane, in their order, for a `Delivery`: they try once and leave waiting to it. */
export async function openTargets(addresses: readonly string[], settings: TargetSettings): Promise<RecordClient[]> {
  const shared = { ...settings, retry: { attempts: 1 } }
  const opened: RecordClient[] = []
  try {
    for (const address of addresses) {
      const isHttp = address.startsWith('http')
      opened.push(
        isHttp ? createHttpClient({ ...shared, url: address }) : await createLibp2pClient({ ...shared, address }),
      )
    }
    return opened
  } catch (error) {
    await Promise.all(opened.map((client) => client.close()))
    throw error
  }
}
