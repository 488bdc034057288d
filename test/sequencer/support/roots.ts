import { ROOT_BYTES } from '../../../protocol/laneState.ts'
import { rootAt } from '../../../sequencer/closedBatch.ts'

export function rootsOf({ preRoots }: { readonly preRoots: Uint8Array }): Uint8Array[] {
  return Array.from({ length: preRoots.length / ROOT_BYTES }, (_, k) => rootAt(preRoots, k))
}
