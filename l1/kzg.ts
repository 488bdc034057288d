import { createHash } from 'node:crypto'
import { isMainThread } from 'node:worker_threads'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { Piscina } from 'piscina'
import type { Hex } from 'viem'
import { BLOB_BYTES, ELEMENT_BYTES } from '../protocol/chunk.ts'
import { BackfeedError } from '../runtime/errors.ts'
import { fromHex, toHex } from './bytes.ts'
import computeKzg, { type KzgResult, type KzgTask } from './kzgCompute.ts'

// KZG by @crate-crypto/node-eth-kzg rather than c-kzg: it ships prebuilt binaries (no compiler on a fresh machine) and is as fast.
// Loading the trusted setup with its tables takes 3–4.5 s of CPU, on the first use.

export const COMMITMENT_BYTES = 48
export const PROOF_BYTES = 48
export const CELL_PROOFS_PER_BLOB = 128
const ELEMENTS = BLOB_BYTES / ELEMENT_BYTES
/** BLS12-381's scalar field. */
const MODULUS = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n
/** EIP-4844: a primitive root of the field, hence ω of order 4096 by the power (r − 1) / 4096. */
const PRIMITIVE_ROOT = 7n
const OMEGA = power(PRIMITIVE_ROOT, (MODULUS - 1n) / BigInt(ELEMENTS))
const VERSION_KZG = 0x01
/** Blobs that may wait for the one worker, 128 KiB each: more than any batch and its proofs ask for at once. */
const MAX_QUEUED = 256

export interface PointProof {
  /** The evaluation point, 32 bytes. */
  z: Uint8Array
  /** The element's value, 32 bytes. */
  y: Uint8Array
  /** 48 bytes. */
  proof: Uint8Array
}

/** Loads the setup now rather than at the first use. */
export async function loadKzg(): Promise<void> {
  await run({ kind: 'load' })
}

/** 48 bytes; ~0.1 s of CPU. */
export async function blobToCommitment(blob: Uint8Array): Promise<Uint8Array> {
  requireBlob(blob)
  return await attempt('commitment', () => run({ kind: 'commitment', blob }))
}

/** The 128 cells of 2 048 bytes (the first 64 are the blob itself) and their proofs; ~0.3 s of CPU. */
export async function cellsAndProofs(blob: Uint8Array): Promise<KzgResult['cells']> {
  requireBlob(blob)
  return await attempt('cell proofs', () => run({ kind: 'cells', blob }))
}

/** Opens element `elementIndex` of a blob. ~0.1 s of CPU. */
export async function pointProof(blob: Uint8Array, elementIndex: number): Promise<PointProof> {
  requireBlob(blob)
  const z = evaluationPoint(elementIndex)
  const [proof, y] = await attempt('point proof', () => run({ kind: 'point', blob, z }))
  return { z, y: y!, proof: proof! }
}

export async function verifyPointProof(commitment: Uint8Array, opening: PointProof): Promise<boolean> {
  return await run({ kind: 'verifyPoint', commitment, ...opening })
}

export async function verifyCellProof(
  commitment: Uint8Array,
  cell: { index: number; bytes: Uint8Array; proof: Uint8Array },
): Promise<boolean> {
  return await run({ kind: 'verifyCell', commitment, ...cell })
}

let pool: Piscina | undefined

/** In a worker, there and then; in the main thread, which has requests to answer, by a worker of its own. */
async function run<T extends KzgTask>(task: T): Promise<KzgResult[T['kind']]> {
  if (!isMainThread) return computeKzg(task) as KzgResult[T['kind']]
  pool ??= new Piscina({
    filename: new URL('./kzgCompute.ts', import.meta.url).href,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    maxQueue: MAX_QUEUED,
  })
  return (await pool.run(task)) as KzgResult[T['kind']]
}

/** Element i of a blob is its polynomial at ω^(i with its 12 bits reversed), EIP-4844. */
export function evaluationPoint(elementIndex: number): Uint8Array {
  if (!Number.isInteger(elementIndex) || elementIndex < 0 || elementIndex >= ELEMENTS) {
    throw new RangeError(`element ${elementIndex} of ${ELEMENTS}`)
  }
  let reversed = 0
  for (let bit = 0; bit < 12; bit++) reversed |= ((elementIndex >> bit) & 1) << (11 - bit)
  return fromHex(power(OMEGA, BigInt(reversed)).toString(16).padStart(64, '0'))
}

/** EIP-4844: 0x01 ‖ the last 31 bytes of SHA-256 of the commitment. */
export function versionedHash(commitment: Uint8Array): Hex {
  if (commitment.length !== COMMITMENT_BYTES) throw new RangeError(`commitment of ${commitment.length} bytes`)
  const hash = createHash('sha256').update(commitment).digest()
  hash[0] = VERSION_KZG
  return toHex(hash)
}

/** A compressed G1 point (commitment or proof) as affine x 48 ‖ y 48; all zero for infinity, docs/protocol.md §15.4. */
export function decompressG1(compressed: Uint8Array): Uint8Array {
  const point = bls12_381.G1.Point.fromBytes(compressed)
  if (point.is0()) return new Uint8Array(96)
  const { x, y } = point.toAffine()
  return fromHex(x.toString(16).padStart(96, '0') + y.toString(16).padStart(96, '0'))
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = base % MODULUS
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % MODULUS
    square = (square * square) % MODULUS
  }
  return result
}

function requireBlob(blob: Uint8Array): void {
  if (blob.length !== BLOB_BYTES) throw new RangeError(`a blob has ${BLOB_BYTES} bytes, not ${blob.length}`)
}

async function attempt<T>(what: string, compute: () => Promise<T>): Promise<T> {
  try {
    return await compute()
  } catch (cause) {
    throw new BackfeedError('KZG_FAILED', `cannot compute the ${what} of a blob`, { cause })
  }
}
