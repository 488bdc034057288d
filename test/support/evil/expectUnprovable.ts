import assert from 'node:assert/strict'
import type { BuiltBatch } from './buildBatch.ts'
import type { EvilLane } from './evilLane.ts'
import { type DataMode, postBatch } from './postBatch.ts'
import { TrueProofs } from './trueProof.ts'

/** Posts an honest batch and tries to prove every chunk of it false, with everything about it true. */
export async function expectUnprovable(
  evil: EvilLane,
  batch: BuiltBatch,
  mode: DataMode,
  blobs?: Uint8Array[],
): Promise<void> {
  const { fixture, domain } = evil
  const rules = await evil.rules()
  const state = await evil.state(rules)
  const parent = await evil.parent()
  const posted = await postBatch(evil.poster, parent, batch, { mode, ...(blobs === undefined ? {} : { blobs }) })
  const proofs = new TrueProofs({ fixture, posted, parent: parent.header, state, rules, domain })
  for (const chunk of batch.chunks.keys()) {
    await proofs.commit(chunk)
    const data = proofs.proveData(chunk, await proofs.proofOf(chunk))
    assert.equal(await proofs.outcome(data), 'NotFraud', `chunk ${chunk} in ${mode}`)
  }
  evil.honest.push({ built: batch, posted })
}
