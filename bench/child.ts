import type { BenchOptions } from './benchmark.ts'
import { benchmarks } from './benchmarks.ts'

// One benchmark in a process of its own: no heap, no compiled code and no threads of another's.

export interface ChildTask {
  readonly name: string
  readonly options: BenchOptions
}

// Without its parent a run has nobody to tell.
const orphaned = (): never => process.exit(1)
process.once('disconnect', orphaned)

process.once('message', (task: ChildTask) => {
  const benchmark = benchmarks.find(({ name }) => name === task.name)
  if (benchmark === undefined) throw new RangeError(`no benchmark ${task.name}`)
  benchmark.run(task.options).then(
    (result) => {
      process.off('disconnect', orphaned)
      process.send!(result)
      process.disconnect()
    },
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
