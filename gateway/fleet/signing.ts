import { openSigners, type SignerDeps } from '../../evse/signer/openSigner.ts'
import type { RecordSigner } from '../../evse/signer/recordSigner.ts'
import type { EvseEntry } from './config.ts'
import type { Fleet } from './fleet.ts'
import { permittedSigner } from './permittedSigner.ts'

/**
 * The keys of the EVSEs that the gateway signs for, by name; each signs only what its EVSE may.
 * @throws BackfeedError SIGNERS_FAILED with what is wrong with each
 */
export async function openFleetSigners(
  evses: readonly EvseEntry[],
  fleet: Fleet,
  deps: SignerDeps,
): Promise<ReadonlyMap<string, RecordSigner>> {
  const configs = new Map(evses.flatMap(({ name, signer }) => (signer === undefined ? [] : [[name, signer] as const])))
  const signers = await openSigners(configs, deps)
  return new Map(
    [...signers].map(([name, signer]) => [name, permittedSigner(signer, (span) => fleet.refusal(name, span))]),
  )
}
