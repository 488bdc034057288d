import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import { openValue, sealValue } from '../../runtime/sealedValue.ts'
import type { WebhookOp, WebhookStore } from '../../runtime/webhooks/webhookStore.ts'
import type { Database, WriteOperation } from './database.ts'
import { type Bytes, Table } from './keys.ts'

/** What webhooks keep, in the sequencer's database: checked values under text keys, in a table of their own. */
export function webhookRows(database: Database): WebhookStore {
  return {
    get: async (key) => {
      const sealed = await database.get(rowKey(key))
      return sealed === undefined ? undefined : unseal(key, sealed)
    },
    write: async (ops) => await database.write(ops.map(operation)),
    async *entries(prefix) {
      // Above every printable character.
      for await (const [bytes, sealed] of database.entries(rowKey(prefix), rowKey(`${prefix}\x7f`))) {
        const key = Buffer.from(bytes.subarray(1)).toString('latin1')
        yield [key, unseal(key, sealed)]
      }
    },
  }
}

function operation({ key, value }: WebhookOp): WriteOperation {
  return value === undefined
    ? { type: 'del', key: rowKey(key) }
    : { type: 'put', key: rowKey(key), value: sealValue(key, value) }
}

function rowKey(key: string): Bytes {
  const bytes = new Uint8Array(1 + key.length)
  bytes[0] = Table.WEBHOOK
  bytes.set(Buffer.from(key, 'latin1'), 1)
  return bytes
}

function unseal(key: string, sealed: Bytes): Uint8Array {
  const value = openValue(key, sealed)
  if (value === undefined) throw dataCorrupted(`the value of ${key}`)
  return value
}
