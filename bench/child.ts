import type { Benchmark, BenchOptions, BenchResult } from './benchmark.ts'

// One benchmark in a process of its own: no heap, no modules, no compiled code and no threads of another's.

export interface ChildTask {
  readonly module: string
  readonly name: string
  readonly options: BenchOptions
}

// Without its parent a run has nobody to tell.
const orphaned = (): never => process.exit(1)
process.once('disconnect', orphaned)

process.once('message', (task: ChildTask) => {
  run(task).then(
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

async function run({ module, name, options }: ChildTask): Promise<BenchResult> {
  const exported = Object.values((await import(module)) as Record<string, Partial<Benchmark>>)
  const benchmark = exported.find((value) => value.name === name && value.run !== undefined)
  if (benchmark === undefined) throw new RangeError(`no benchmark ${name} in ${module}`)
  return await benchmark.run!(options)
}
