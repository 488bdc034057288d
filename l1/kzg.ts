import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import type { CellsAndProofs, DasContextJs } from '@crate-crypto/node-eth-kzg'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import type { Hex } from 'viem'
import { BLOB_BYTES, ELEMENT_BYTES } from '../protocol/chunk.ts'
import { BackfeedError } from '../runtime/errors.ts'
import { fromHex, toHex } from './bytes.ts'

// KZG by @crate-crypto/node-eth-kzg rather than c-kzg: it ships prebuilt binaries (no compiler on a fresh machine) and is as fast.
// Loading the trusted setup with its tables takes 3–4.5 s of CPU, once a process, on the first use.

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

export interface PointProof {
  /** The evaluation point, 32 bytes. */
  z: Uint8Array
  /** The element's value, 32 bytes. */
  y: Uint8Array
  /** 48 bytes. */
  proof: Uint8Array
}

let loaded: DasContextJs | undefined

/** Loads the setup now, in this thread, rather than at the first use. Each worker thread that proves has its own. */
export function loadKzg(): void {
  context()
}

function context(): DasContextJs {
  if (loaded === undefined) {
    // A CommonJS addon: its named exports are not visible to import.
    const addon = createRequire(import.meta.url)('@crate-crypto/node-eth-kzg') as {
      DasContextJs: { create(options: { usePrecomp: boolean }): DasContextJs }
    }
    loaded = addon.DasContextJs.create({ usePrecomp: true })
  }
  return loaded
}

/** 48 bytes; off the event loop, ~0.1 s of CPU. */
export async function blobToCommitment(blob: Uint8Array): Promise<Uint8Array> {
  requireBlob(blob)
  return await attempt('commitment', () => context().asyncBlobToKzgCommitment(blob))
}

/** The 128 cells of 2 048 bytes (the first 64 are the blob itself) and their proofs; off the event loop, ~0.3 s of CPU. */
export async function cellsAndProofs(blob: Uint8Array): Promise<CellsAndProofs> {
  requireBlob(blob)
  return await attempt('cell proofs', () => context().asyncComputeCellsAndKzgProofs(blob))
}

/** Opens element `elementIndex` of a blob. ~0.1 s of CPU. */
export async function pointProof(blob: Uint8Array, elementIndex: number): Promise<PointProof> {
  requireBlob(blob)
  const z = evaluationPoint(elementIndex)
  const [proof, y] = await attempt('point proof', () => context().asyncComputeKzgProof(blob, z))
  return { z, y: y!, proof: proof! }
}

export async function verifyPointProof(commitment: Uint8Array, opening: PointProof): Promise<boolean> {
  return await context().asyncVerifyKzgProof(commitment, opening.z, opening.y, opening.proof)
}

export async function verifyCellProof(
  commitment: Uint8Array,
  cell: { index: number; bytes: Uint8Array; proof: Uint8Array },
): Promise<boolean> {
  return await context().asyncVerifyCellKzgProofBatch([commitment], [cell.index], [cell.bytes], [cell.proof])
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
