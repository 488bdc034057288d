import { readU48 } from '../../protocol/bigEndian.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { DUPLICATE, RESULT_BYTES } from '../submission.ts'

export interface Run {
  readonly position: number
  records: number
}

/** Positions of accepted records and duplicates, as runs that follow each other, rising. */
export function acceptedRuns(results: Uint8Array): Run[] {
  const runs: Run[] = []
  for (let at = 0; at < results.length; at += RESULT_BYTES) {
    if (results[at] !== Outcome.SETTLED && results[at] !== DUPLICATE) continue
    const position = readU48(results, at + 2)
    const last = runs.at(-1)
    if (last !== undefined && position === last.position + last.records) last.records++
    else runs.push({ position, records: 1 })
  }
  if (runs.length < 2) return runs
  runs.sort((a, b) => a.position - b.position)
  const merged: Run[] = []
  for (const run of runs) {
    const last = merged.at(-1)
    const end = run.position + run.records
    if (last !== undefined && run.position <= last.position + last.records) {
      last.records = Math.max(last.records, end - last.position)
    } else merged.push(run)
  }
  return merged
}
