import { monitorEventLoopDelay } from 'node:perf_hooks'

// A process that does nothing but look how late its own timers are: what the machine alone does to an event loop under the same load.

export const PROBE_RESOLUTION_MS = 2

if (import.meta.main) {
  const histogram = monitorEventLoopDelay({ resolution: PROBE_RESOLUTION_MS })
  histogram.enable()
  process.on('message', (command: 'reset' | 'read' | 'stop') => {
    if (command === 'stop') process.disconnect()
    else if (command === 'reset') histogram.reset()
    else process.send!({ maxMs: histogram.max / 1e6 - PROBE_RESOLUTION_MS, p99Ms: histogram.percentile(99) / 1e6 })
  })
}
