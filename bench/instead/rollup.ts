import type { BenchOptions } from '../benchmark.ts'
import { LoadGenerator } from '../loadGenerator.ts'
import { measure, type Spent } from '../measure.ts'
import { openWiredLane } from '../wiredLane.ts'
import { Workload } from '../workload.ts'

const CONNECTIONS = 16

export interface RollupSide extends AsyncDisposable {
  readonly workload: Workload
  /** Settles some thousand records sent as HTTP binary. */
  run(): Promise<Spent & { readonly records: number }>
}

/** Ours beside theirs: a sequencer from the wire to durable answers, default settings. */
export async function openRollupSide({ evses, quick }: BenchOptions): Promise<RollupSide> {
  const workload = new Workload({ evses, keys: true })
  const wired = await openWiredLane(workload)
  const generator = await LoadGenerator.open(workload, CONNECTIONS)
  await generator.connect(await wired.listen('http-binary'))
  return {
    workload,
    run: async () => {
      const records = await generator.load(quick ? 2 : 4)
      const spent = await measure(async () => {
        const { settled } = await generator.go({ inFlight: 1 })
        if (settled !== records) throw new Error(`${settled} of ${records} records settled`)
      })
      return { ...spent, records }
    },
    [Symbol.asyncDispose]: async () => {
      await generator[Symbol.asyncDispose]()
      await wired[Symbol.asyncDispose]()
    },
  }
}
