import { workerData } from 'node:worker_threads'
import { Signature, verify, verifyMultipleAggregateSignatures } from '@chainsafe/blst'
import { readU32 } from '../../protocol/bigEndian.ts'
import { type BlsKey, type BlsSignature, blsSignatureBytes, parseBlsKey } from '../../protocol/bls.ts'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from '../../protocol/domain.ts'
import { GroupCheck } from './groupCheck.ts'
import { KeyCache } from './keyCache.ts'
import { COMPRESSED_FLAG, COMPRESSED_SIGNATURE_BYTES, INFINITY_FLAG } from '../compressedSignature.ts'
import { ROW_SIGNATURE, type VerifyTask, viewSlabs, workerSetupOf } from './slab.ts'

interface Candidate {
  readonly row: number
  readonly msg: Uint8Array
  readonly pk: BlsKey
  readonly sig: BlsSignature
}

const setup = workerSetupOf(workerData)
const slabs = viewSlabs(setup.memory, setup.shape)
const shape = setup.shape.row
const keys = new KeyCache<BlsKey>({ bytes: shape.keyBytes, parse: parseBlsKey }, setup.maxKeys)
const messages = Array.from({ length: setup.shape.rowsPerSlab }, () => new Uint8Array(RECORD_MESSAGE_BYTES))
const groups = new GroupCheck<Candidate>({
  // By random factors, so that two bad signatures cannot make up for each other. That each lies in the subgroup is checked in there, by
  // blst's own threads; keys were when they were parsed.
  many: (candidates) => verifyMultipleAggregateSignatures(candidates as Candidate[], false, true),
  one: ({ msg, pk, sig }) => verify(msg, pk, sig, false, true),
})

/** Piscina's task: verdict bytes 1 or 0 for the slab's rows. A good signature that came compressed lies there uncompressed afterwards. */
export default function verifySlab(task: VerifyTask): void {
  const { rows, evses, verdicts } = slabs
  const domain = setup.domains[task.domain]!
  const firstRow = task.slab * setup.shape.rowsPerSlab
  const candidates: Candidate[] = []
  for (let row = firstRow; row < firstRow + task.count; row++) {
    verdicts[row] = 0
    const [at, keyAt] = [row * shape.bytes, row * shape.evseBytes]
    const sig = parseSignature(rows.subarray(at + ROW_SIGNATURE, at + ROW_SIGNATURE + shape.signatureBytes))
    if (sig === undefined) continue
    const pk = keys.get(task.domain, readU32(rows, at), evses, keyAt)
    if (pk === undefined) continue
    const msg = messages[row - firstRow]!
    const positionAt = keyAt + shape.keyBytes
    writeRecordMessage(msg, { domain, record: rows, recordAt: at, position: evses, positionAt })
    candidates.push({ row, msg, pk, sig })
  }
  groups.run(candidates, ({ row, sig }) => {
    verdicts[row] = 1
    const at = row * shape.bytes + ROW_SIGNATURE
    if ((rows[at]! & COMPRESSED_FLAG) !== 0) rows.set(blsSignatureBytes(sig), at)
  })
}

/** On the curve; its subgroup is not checked yet. */
function parseSignature(bytes: Uint8Array): BlsSignature | undefined {
  if ((bytes[0]! & INFINITY_FLAG) !== 0) return undefined
  const isCompressed = (bytes[0]! & COMPRESSED_FLAG) !== 0
  if (isCompressed && bytes.subarray(COMPRESSED_SIGNATURE_BYTES).some((byte) => byte !== 0)) return undefined
  try {
    return Signature.fromBytes(isCompressed ? bytes.subarray(0, COMPRESSED_SIGNATURE_BYTES) : bytes, false)
  } catch {
    return undefined
  }
}
