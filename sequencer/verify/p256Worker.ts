import { workerData } from 'node:worker_threads'
import { readU32 } from '../../protocol/bigEndian.ts'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from '../../protocol/domain.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { KeyCache } from './keyCache.ts'
import { ROW_SIGNATURE, type VerifyTask, viewSlabs, workerSetupOf } from './slab.ts'

const setup = workerSetupOf(workerData)
const slabs = viewSlabs(setup.memory, setup.shape)
const shape = setup.shape.row
const keys = new KeyCache({ bytes: shape.keyBytes, parse: parseP256Key }, setup.maxKeys)
const message = new Uint8Array(RECORD_MESSAGE_BYTES)
// OpenSSL's binding refuses views of shared memory.
const signature = new Uint8Array(shape.signatureBytes)

/** Piscina's task: verdict bytes 1 or 0 for the slab's rows. */
export default function verifySlab(task: VerifyTask): void {
  const { rows, evses, verdicts } = slabs
  const domain = setup.domains[task.domain]!
  const firstRow = task.slab * setup.shape.rowsPerSlab
  for (let row = firstRow; row < firstRow + task.count; row++) {
    const at = row * shape.bytes
    const keyAt = row * shape.evseBytes
    const positionAt = keyAt + shape.keyBytes
    writeRecordMessage(message, { domain, record: rows, recordAt: at, position: evses, positionAt })
    for (let i = 0; i < signature.length; i++) signature[i] = rows[at + ROW_SIGNATURE + i]!
    const key = keys.get(task.domain, readU32(rows, at), evses, keyAt)
    verdicts[row] = verifyP256(key, message, signature) ? 1 : 0
  }
}
