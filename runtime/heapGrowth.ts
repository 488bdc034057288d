import { constants, type NodeGCPerformanceDetail, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'

/** What may become garbage before it is looked for, bytes, and in percent of what is live. */
const ROOM_BYTES = 120e6
const MOST_PERCENT = 300
const LEAST_PERCENT = 20
const FIRST_PERCENT = 30

function isFull(entry: PerformanceEntry): boolean {
  const { detail } = entry as PerformanceEntry & { readonly detail: NodeGCPerformanceDetail }
  return detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR
}

/** By how much of what was live after a full collection the heap may grow before the next. */
export function growthFlag(percent: number): string {
  return `--heap-growing-percent=${percent}`
}

export function growthPercent(liveBytes: number): number {
  return Math.round(Math.min(MOST_PERCENT, Math.max(LEAST_PERCENT, (100 * ROOM_BYTES) / liveBytes)))
}

/**
 * For a process that moves megabytes a second past what it keeps. V8 doubles what is live at the most and leaves room for its young generation in that,
 * so that it marks a heap of some forty megabytes again for every few dozen. From here on heaps may grow by 120 MB, to four times what is live at the most;
 * a lane of a million EVSEs, of which some 400 MB live, grows by no more. The limit of each heap (`--max-old-space-size`) stays as it is. For every
 * thread of the process, by what lives in this one; V8 reads it anew at each collection.
 */
export function letHeapGrow(): void {
  // Until a collection tells: what was allowed while a large lane was read would never be given back.
  let percent = FIRST_PERCENT
  setFlagsFromString(growthFlag(percent))
  const observer = new PerformanceObserver((list) => {
    if (!list.getEntries().some(isFull)) return
    const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
    const next = growthPercent(heap + external)
    if (next !== percent) setFlagsFromString(growthFlag(next))
    percent = next
  })
  observer.observe({ entryTypes: ['gc'] })
}
