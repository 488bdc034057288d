import type { Logger } from '../../runtime/log.ts'
import { pause } from '../../runtime/wait.ts'
import type { Head } from '../../runtime/headFile.ts'
import type { LaneJournal } from '../store/journal.ts'

/** A fifth of a core: what was skipped at the start is looked through without anybody waiting for it. */
const WORK_MS = 2
const REST_MS = 8

/**
 * Checks every entry up to `head`, which a start from a snapshot did not read. Damage there concerns no state, but batches that may have to be
 * posted or proven again: better known now than then. @throws BackfeedError DATA_CORRUPTED
 */
export async function scrub(
  journal: LaneJournal,
  head: Head,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Promise<void> {
  let since = performance.now()
  for await (const _ of journal.read(undefined, head)) {
    if (signal.aborted) return
    if (performance.now() - since < WORK_MS) continue
    await pause(REST_MS, signal)
    since = performance.now()
  }
  log.info({ entries: head.sequence }, 'the journal before the snapshot is whole')
}
