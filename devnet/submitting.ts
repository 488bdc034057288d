import { createHttpClient } from '../client/http.ts'
import { createLibp2pClient } from '../client/libp2p.ts'
import { type ReceiptTrust, ReceiptVerifier } from '../client/receiptVerifier.ts'
import type { RecordClient } from '../client/recordClient.ts'
import { Outcome } from '../protocol/outcome.ts'
import { recordContract } from '../protocol/record.ts'
import type { SchemeLayout } from '../protocol/scheme.ts'
import { MAX_REQUEST_RECORDS, type ResultCode, resultName } from '../protocol/wire.ts'
import type { Fleet } from './fleet.ts'
import type { Discharge } from './scenario.ts'

export interface Tally {
  settled: number
  /** Promised positions that were checked. */
  receipts: number
  /** By name of the outcome. */
  refused: Map<string, number>
  creditedMicro: Map<number, bigint>
  energyWh: number
  /** From the first request to the last answer, summed over the steps. */
  submittingMs: number
  byHttp: number
  byLibp2p: number
}

export function newTally(): Tally {
  return {
    settled: 0,
    receipts: 0,
    refused: new Map(),
    creditedMicro: new Map(),
    energyWh: 0,
    submittingMs: 0,
    byHttp: 0,
    byLibp2p: 0,
  }
}

export interface Gateways extends AsyncDisposable {
  /** Signs and submits; resolves when every record has been answered, and adds the answers to the tally. */
  submit(discharges: readonly Discharge[], signal: AbortSignal): Promise<void>
}

/** Gateways of each kind: chargers are shared out among them, and each keeps the order of its chargers' records. */
const GATEWAYS_OF_A_KIND = 4

/** Half of the chargers speak HTTP, the other half libp2p. */
export async function openGateways(parts: {
  fleet: Fleet
  lane: number
  httpUrl: string
  libp2pAddress: string
  tally: Tally
  /** What the chargers know of the lane: a result without its operator's receipt ends the run. */
  trust: ReceiptTrust
}): Promise<Gateways> {
  const receipts = new ReceiptVerifier(parts.trust)
  const http = createHttpClient({ url: parts.httpUrl, receipts })
  const libp2p = await createLibp2pClient({ address: parts.libp2pAddress, receipts })
  const clients = Array.from({ length: 2 * GATEWAYS_OF_A_KIND }, (_, index) => (index % 2 === 0 ? http : libp2p))
  const { tally } = parts
  return {
    submit: async (discharges, signal) => {
      const groups = clients.map((client) => ({
        client,
        discharges: [] as Discharge[],
        rows: new Uint8Array() as Uint8Array,
      }))
      for (const discharge of discharges) groups[discharge.evse % groups.length]!.discharges.push(discharge)
      for (const group of groups) group.rows = parts.fleet.signAll(group.discharges)
      const startedAt = performance.now()
      await Promise.all(
        groups.map((group) => submitInOrder({ ...group, lane: parts.lane, layout: parts.fleet.layout, signal, tally })),
      )
      tally.submittingMs += performance.now() - startedAt
      for (const { client, discharges: sent } of groups) {
        if (client === http) tally.byHttp += sent.length
        else tally.byLibp2p += sent.length
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled([http.close(), libp2p.close()])
    },
  }
}

async function submitInOrder(parts: {
  client: RecordClient
  discharges: readonly Discharge[]
  rows: Uint8Array
  lane: number
  layout: SchemeLayout
  signal: AbortSignal
  tally: Tally
}): Promise<void> {
  const { client, discharges, rows, lane, layout, signal, tally } = parts
  const { rowBytes } = layout
  for (let from = 0; from < discharges.length; from += MAX_REQUEST_RECORDS) {
    const count = Math.min(MAX_REQUEST_RECORDS, discharges.length - from)
    const request = rows.slice(from * rowBytes, (from + count) * rowBytes)
    const results = await client.submit({ lane, rows: request, layout, signal })
    for (const [index, { code, amountMicro, receipt }] of results.entries()) {
      if (receipt !== undefined) tally.receipts++
      const contract = recordContract(request, index * rowBytes)
      addResult(tally, code, { contract, amountMicro, energyWh: discharges[from + index]!.energyWh })
    }
  }
}

function addResult(
  tally: Tally,
  code: ResultCode,
  record: { contract: number; amountMicro: number; energyWh: number },
): void {
  if (code !== Outcome.SETTLED) {
    const name = resultName(code)
    tally.refused.set(name, (tally.refused.get(name) ?? 0) + 1)
    return
  }
  tally.settled++
  tally.energyWh += record.energyWh
  const before = tally.creditedMicro.get(record.contract) ?? 0n
  tally.creditedMicro.set(record.contract, before + BigInt(record.amountMicro))
}

export function tallyTotalMicro(tally: Tally): bigint {
  let total = 0n
  for (const amount of tally.creditedMicro.values()) total += amount
  return total
}

/** Of lanes whose cars count from `firstCar` on in the whole. */
export function mergeTallies(parts: readonly { readonly tally: Tally; readonly firstCar: number }[]): Tally {
  const all = newTally()
  for (const { tally, firstCar } of parts) {
    all.settled += tally.settled
    all.receipts += tally.receipts
    all.energyWh += tally.energyWh
    all.byHttp += tally.byHttp
    all.byLibp2p += tally.byLibp2p
    // They submit at the same time.
    all.submittingMs = Math.max(all.submittingMs, tally.submittingMs)
    for (const [name, count] of tally.refused) all.refused.set(name, (all.refused.get(name) ?? 0) + count)
    for (const [car, micro] of tally.creditedMicro) all.creditedMicro.set(firstCar + car, micro)
  }
  return all
}
