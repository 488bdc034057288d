import { generateKeyPairSync, sign } from 'node:crypto'
import { encodeRecord } from '../../../protocol/record.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { type LevelOutbox, openOutbox } from '../../../evse/outbox/levelOutbox.ts'
import type { OutboxRow } from '../../../evse/outbox/outbox.ts'
import type { EdgeStore } from '../../../evse/store/edgeStore.ts'

export const OWNER = { chainId: 31337, rollup: '0x00000000000000000000000000000000000000aa' }
/** 2030-03-13, at a period's beginning. */
export const FIRST_INTERVAL = 60 * 2_111_000

/** The `index`th quarter of an hour of an EVSE. Not signed: 64 bytes that are the index's own. */
export function unsignedRow(evse: number, index: number, lane = 0): OutboxRow {
  const row = new Uint8Array(88)
  encodeRecord(
    {
      evse,
      contract: 1,
      start: FIRST_INTERVAL + 60 * index,
      intervals: 60,
      energyWh: 1000,
      meterEndWh: 1000 * (index + 1),
      socDrop: 400,
      tempC: 25,
    },
    row,
  )
  row.fill((index % 255) + 1, 24)
  return { lane, row }
}

export const metrics = () => createMetrics({ service: 'test', process: false })

export async function openBox(
  store: EdgeStore,
  options: { maxBytes?: number; now?: () => number } = {},
): Promise<LevelOutbox> {
  const { maxBytes = 1_000_000, now = () => (FIRST_INTERVAL + 60_000) * 15_000 } = options
  return openOutbox({ store, maxBytes, now, log: silentLogger(), metrics: metrics() })
}

/** A P-256 key as a signer of the edge would hold it. */
export function edgeKey(): { publicKey: Uint8Array; sign: (message: Uint8Array) => Uint8Array } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x, y } = publicKey.export({ format: 'jwk' })
  return {
    publicKey: Buffer.concat([Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]),
    sign: (message) => sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
}
