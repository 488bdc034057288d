import { blsBatches } from './blsBatches.ts'
import type { Curve } from './curve.ts'
import { evsesKeys, requests, workers } from './pipeline.ts'
import { evses, writes } from './writer.ts'

/** In the order in which they are measured. */
export const curves: readonly Curve[] = [evses, evsesKeys, workers, requests, writes, blsBatches]
