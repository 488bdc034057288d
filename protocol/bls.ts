import {
  aggregateSignatures,
  aggregateVerify,
  PublicKey,
  Signature,
  verify,
  verifyMultipleAggregateSignatures,
} from '@chainsafe/blst'
import { BLS_SIGNATURE_BYTES } from './limits.ts'
import { BLS_LAYOUT } from './scheme.ts'

// BLS12-381 as docs/protocol.md §15.5 has it: keys in G1, signatures in G2, by blst, whose ciphersuite is the protocol's
// (BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_; a test compares it with another library). blst checks the subgroup only where it is
// asked to: so everything is parsed here, with validation, and nothing takes raw bytes further in.

/** On the curve, in the subgroup, not infinity. Belongs to the thread that parsed it. */
export type BlsKey = PublicKey
/** On the curve and in the subgroup. */
export type BlsSignature = Signature

const COORDINATE_BYTES = 48
/** EIP-2537 pads a coordinate to 64 bytes. */
const PADDED_BYTES = 64
const PAD_BYTES = PADDED_BYTES - COORDINATE_BYTES
const KEY_BYTES = BLS_LAYOUT.keyBytes
const COMPRESSED_SIGNATURE_BYTES = 96
/** ZCash: compressed, infinity, larger y. A coordinate below the modulus leaves these bits of its first byte 0. */
const FLAG_BITS = 0xe0
const INFINITY_FLAG = 0x40

/** From EIP-2537's x 64 ‖ y 64. Undefined for a key that is not valid: then no signature verifies, as on L1. */
export function parseBlsKey(bytes: Uint8Array): BlsKey | undefined {
  if (bytes.length !== KEY_BYTES) return undefined
  for (let i = 0; i < PAD_BYTES; i++) if (bytes[i] !== 0 || bytes[PADDED_BYTES + i] !== 0) return undefined
  if ((bytes[PAD_BYTES]! & FLAG_BITS) !== 0) return undefined
  const affine = new Uint8Array(2 * COORDINATE_BYTES)
  affine.set(bytes.subarray(PAD_BYTES, PADDED_BYTES))
  affine.set(bytes.subarray(PADDED_BYTES + PAD_BYTES, 2 * PADDED_BYTES), COORDINATE_BYTES)
  return parseZcashBlsKey(affine)
}

/** As libraries and chargers' makers serialise it (ZCash): 48 bytes compressed or 96 uncompressed. Undefined as above. */
export function parseZcashBlsKey(bytes: Uint8Array): BlsKey | undefined {
  if (bytes.length !== COORDINATE_BYTES && bytes.length !== 2 * COORDINATE_BYTES) return undefined
  return attempt(() => PublicKey.fromBytes(bytes, true))
}

/** x 64 ‖ y 64, as descriptors and EIP-2537 hold it. */
export function blsKeyBytes(key: BlsKey): Uint8Array {
  const affine = key.toBytes(false)
  const bytes = new Uint8Array(KEY_BYTES)
  bytes.set(affine.subarray(0, COORDINATE_BYTES), PAD_BYTES)
  bytes.set(affine.subarray(COORDINATE_BYTES), PADDED_BYTES + PAD_BYTES)
  return bytes
}

/** One EVSE's signature as libraries serialise it: 96 bytes compressed or 192 uncompressed (ZCash). Infinity signs nothing. */
export function parseBlsSignature(bytes: Uint8Array): BlsSignature | undefined {
  if (bytes.length !== COMPRESSED_SIGNATURE_BYTES && bytes.length !== BLS_SIGNATURE_BYTES) return undefined
  return attempt(() => Signature.fromBytes(bytes, true, true))
}

/** The 192 bytes (ZCash, uncompressed) that a row holds. */
export function blsSignatureBytes(signature: BlsSignature): Uint8Array {
  return signature.toBytes(false)
}

/** From the 192 bytes of a chunk, in L1's order. Infinity counts: it is a point of the subgroup like any other. */
export function parseL1Signature(bytes: Uint8Array): BlsSignature | undefined {
  const zcash = zcashFromL1(bytes)
  return zcash === undefined ? undefined : attempt(() => Signature.fromBytes(zcash, true, false))
}

/** Sum of signatures in L1's order, 192 bytes; of none, infinity. */
export function aggregateBls(signatures: readonly BlsSignature[]): Uint8Array {
  if (signatures.length === 0) return new Uint8Array(BLS_SIGNATURE_BYTES)
  return l1FromZcash(aggregateSignatures([...signatures], false).toBytes(false))
}

/** Uncompressed ZCash (x.c1 ‖ x.c0 ‖ y.c1 ‖ y.c0, flags in the first byte) of a valid point to L1's order. */
export function l1FromZcash(zcash: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BLS_SIGNATURE_BYTES)
  if ((zcash[0]! & INFINITY_FLAG) !== 0) return bytes
  swapHalves(zcash, bytes)
  return bytes
}

/** Undefined for what no ZCash serialisation stands for: wrong length, or a coordinate so large that it would read as flags. */
export function zcashFromL1(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length !== BLS_SIGNATURE_BYTES) return undefined
  const zcash = new Uint8Array(BLS_SIGNATURE_BYTES)
  swapHalves(bytes, zcash)
  if ((zcash[0]! & FLAG_BITS) !== 0) return undefined
  if (zcash.every((byte) => byte === 0)) zcash[0] = INFINITY_FLAG
  return zcash
}

export function verifyBls(key: BlsKey | undefined, message: Uint8Array, signature: BlsSignature | undefined): boolean {
  if (key === undefined || signature === undefined) return false
  return verify(message, key, signature, false, false)
}

/**
 * Whether `aggregate` is the sum of signatures of `messages[i]` under `keys[i]`, one or more of them, repetitions included. ~0.5 ms of
 * CPU a message.
 */
export function verifyBlsAggregate(
  keys: readonly (BlsKey | undefined)[],
  messages: readonly Uint8Array[],
  aggregate: BlsSignature | undefined,
): boolean {
  if (keys.length !== messages.length || keys.length === 0)
    throw new RangeError('one key for each of 1 or more messages')
  if (aggregate === undefined || !areKeys(keys)) return false
  return aggregateVerify(messages as Uint8Array[], keys, aggregate, false, false)
}

export interface BlsSigned {
  readonly key: BlsKey | undefined
  readonly message: Uint8Array
  readonly signature: BlsSignature | undefined
}

/**
 * One byte for each, 1 for a signature that verifies. Those that are good are verified together, blinded by random factors; a part
 * with a bad one in it is halved until the bad one is alone.
 */
export function judgeBlsBatch(signed: readonly BlsSigned[]): Uint8Array {
  const verdicts = new Uint8Array(signed.length)
  const sets: { pk: BlsKey; msg: Uint8Array; sig: BlsSignature }[] = []
  const places: number[] = []
  for (const [place, { key, message, signature }] of signed.entries()) {
    if (key === undefined || signature === undefined) continue
    sets.push({ pk: key, msg: message, sig: signature })
    places.push(place)
  }
  const parts = sets.length === 0 ? [] : [{ from: 0, to: sets.length }]
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const { from, to } = part
    if (verifyMultipleAggregateSignatures(sets.slice(from, to), false, false)) {
      for (let i = from; i < to; i++) verdicts[places[i]!] = 1
    } else if (to - from > 1) {
      const middle = (from + to) >>> 1
      parts.push({ from, to: middle }, { from: middle, to })
    }
  }
  return verdicts
}

function areKeys(keys: readonly (BlsKey | undefined)[]): keys is BlsKey[] {
  return keys.every((key) => key !== undefined)
}

/** Exchanges c0 and c1 of both coordinates. */
function swapHalves(from: Uint8Array, into: Uint8Array): void {
  for (let at = 0; at < BLS_SIGNATURE_BYTES; at += 2 * COORDINATE_BYTES) {
    for (let i = 0; i < COORDINATE_BYTES; i++) {
      into[at + i] = from[at + COORDINATE_BYTES + i]!
      into[at + COORDINATE_BYTES + i] = from[at + i]!
    }
  }
}

/** blst throws on bytes that are no valid point. */
function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}
