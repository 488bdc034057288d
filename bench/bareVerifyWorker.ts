import { verify } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { recordMessage } from '../protocol/domain.ts'
import { derFromRaw, parseP256Key } from '../protocol/p256.ts'
import type { BareSetup } from './bareVerify.ts'

// The limit: everything that can be made before is; the loop does nothing but verify, in the fastest form that OpenSSL has from Node.

const { domain, items } = workerData as BareSetup
const keys = new Map<string, ReturnType<typeof parseP256Key>>()
const prepared = items.map(({ key, record, lat, lon, signature }) => {
  const name = Buffer.from(key).toString('latin1')
  const parsed = keys.get(name) ?? parseP256Key(key)
  keys.set(name, parsed)
  return { key: parsed!, message: recordMessage(domain, record, lat, lon), der: derFromRaw(signature) }
})

parentPort!.on('message', (count: number) => {
  for (let i = 0; i < count; i++) {
    const { key, message, der } = prepared[i % prepared.length]!
    if (!verify('sha256', message, key, der)) throw new Error('a signature of the workload does not verify')
  }
  parentPort!.postMessage(count)
})
