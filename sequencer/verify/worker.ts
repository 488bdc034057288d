import { workerData } from 'node:worker_threads'
import { readU32 } from '../../protocol/bigEndian.ts'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from '../../protocol/domain.ts'
import { verifyP256 } from '../../protocol/p256.ts'
import { KeyCache } from './keyCache.ts'
import {
  ROW_BYTES,
  ROW_KEY,
  ROW_PLACE,
  ROW_SIGNATURE,
  SIGNATURE_BYTES,
  type VerifyTask,
  viewSlabs,
  type WorkerSetup,
} from './slab.ts'

const setup = workerDataOf(workerData)
const slabs = viewSlabs(setup.memory, setup.shape)
const keys = new KeyCache(setup.maxKeys)
const message = new Uint8Array(RECORD_MESSAGE_BYTES)
// OpenSSL's binding refuses views of shared memory.
const signature = new Uint8Array(SIGNATURE_BYTES)

/** Piscina's task: verdict bytes 1 or 0 for the slab's rows. */
export default function verifySlab(task: VerifyTask): void {
  const { rows, verdicts } = slabs
  const domain = setup.domains[task.domain]!
  const firstRow = task.slab * setup.shape.rowsPerSlab
  for (let row = firstRow; row < firstRow + task.count; row++) {
    const at = row * ROW_BYTES
    writeRecordMessage(message, { domain, record: rows, recordAt: at, position: rows, positionAt: at + ROW_PLACE })
    for (let i = 0; i < SIGNATURE_BYTES; i++) signature[i] = rows[at + ROW_SIGNATURE + i]!
    const key = keys.get(task.domain, readU32(rows, at), rows, at + ROW_KEY)
    verdicts[row] = verifyP256(key, message, signature) ? 1 : 0
  }
}

/** Piscina wraps what it was given: [its own data, ours]. */
function workerDataOf(data: unknown): WorkerSetup {
  return (Array.isArray(data) ? data[data.length - 1] : data) as WorkerSetup
}
