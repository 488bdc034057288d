import { setFlagsFromString } from 'node:v8'

/** By how much of what was live after a full collection the heap may grow before the next. */
export const HEAP_GROWTH_FLAG = '--heap-growing-percent=300'

/**
 * For a process that moves megabytes a second past a heap of some forty: V8 doubles what is live at the most, leaves room for its young
 * generation in that, and so marks everything again for every few dozen megabytes. From here on heaps may grow to four times what is live;
 * the limit of each (`--max-old-space-size`) stays as it is. For every thread of the process; read anew at each collection.
 */
export function letHeapGrow(): void {
  setFlagsFromString(HEAP_GROWTH_FLAG)
}
