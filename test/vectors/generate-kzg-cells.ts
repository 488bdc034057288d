// Writes kzg-cells.json: real commitments, EIP-7594 cell proofs and EIP-4844 point proofs of node-eth-kzg, the points decompressed
// for EIP-2537, which is how a fraud proof carries them. `node test/vectors/generate-kzg-cells.ts`
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { createKzgContext } from '../../l1/kzgCompute.ts'

const ELEMENTS = 4096
const CELL_INDICES = [0, 1, 2, 31, 32, 63]
const R = bls12_381.fields.Fr.ORDER

interface Vector {
  blob: string
  index: number
  versionedHash: string
  commitment: string
  commitmentCompressed: string
  cell: string
  proof: string
  /** element 32 ‖ commitment 48 ‖ proof 48 of element 64·index */
  element: string
}

const context = createKzgContext()
const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** x 48 ‖ y 48, zeros for infinity. */
function affine(compressed: Uint8Array): Uint8Array {
  const point = bls12_381.G1.Point.fromBytes(compressed)
  if (point.is0()) return new Uint8Array(96)
  const { x, y } = point.toAffine()
  return Buffer.from(x.toString(16).padStart(96, '0') + y.toString(16).padStart(96, '0'), 'hex')
}

/** Elements from a hash chain, of full width: the top byte is filled as far as the field allows. */
function randomBlob(seed: string): Uint8Array {
  const blob = new Uint8Array(ELEMENTS * 32)
  for (let i = 0; i < ELEMENTS; i++) {
    const word = sha256(Buffer.from(`${seed}/${i}`))
    word[0]! %= 0x73
    blob.set(word, 32 * i)
  }
  return blob
}

function constantBlob(value: bigint): Uint8Array {
  const word = Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
  return Buffer.concat(Array.from({ length: ELEMENTS }, () => word))
}

/** ω^bitrev6(index): where element 64·index of a blob is evaluated. */
function evaluationPoint(index: number): Uint8Array {
  const { Fr } = bls12_381.fields
  const omega = Fr.pow(7n, (R - 1n) / 4096n)
  const reversed = Number.parseInt(index.toString(2).padStart(6, '0').split('').reverse().join(''), 2)
  return Buffer.from(Fr.pow(omega, BigInt(reversed)).toString(16).padStart(64, '0'), 'hex')
}

function vectorsOf(name: string, blob: Uint8Array, indices: readonly number[]): Vector[] {
  const commitment = context.blobToKzgCommitment(blob)
  const versionedHash = sha256(commitment)
  versionedHash[0] = 1
  const { cells, proofs } = context.computeCellsAndKzgProofs(blob)
  return indices.map((index) => {
    const [proof, value] = context.computeKzgProof(blob, evaluationPoint(index)) as [Uint8Array, Uint8Array]
    if (Buffer.compare(value, cells[index]!.subarray(0, 32)) !== 0) throw new Error(`element of ${name} ${index}`)
    return {
      blob: name,
      index,
      versionedHash: hex(versionedHash),
      commitment: hex(affine(commitment)),
      commitmentCompressed: hex(commitment),
      cell: hex(cells[index]!),
      proof: hex(affine(proofs[index]!)),
      element: hex(Buffer.concat([value, commitment, proof])),
    }
  })
}

const vectors = [
  ...vectorsOf('random 1', randomBlob('backfeed 1'), CELL_INDICES),
  ...vectorsOf('random 2', randomBlob('backfeed 2'), [5, 42]),
  ...vectorsOf('zero', constantBlob(0n), [0, 17]),
  ...vectorsOf('largest element', constantBlob(R - 1n), [3]),
]
writeFileSync(new URL('kzg-cells.json', import.meta.url), `${JSON.stringify({ vectors }, null, 1)}\n`)
