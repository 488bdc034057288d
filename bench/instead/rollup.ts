import type { BenchOptions } from '../benchmark.ts'
import { LoadGenerator } from '../loadGenerator.ts'
import { measure, type Spent } from '../measure.ts'
import { Feeder, REQUEST_RECORDS } from '../p256.ts'
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
  const feeder = new Feeder(workload, CONNECTIONS)
  const wired = await openWiredLane(workload)
  const generator = await LoadGenerator.open(await wired.listen('http-binary'), CONNECTIONS)
  return {
    workload,
    run: async () => {
      const { bodies } = feeder.next(quick ? 2 : 4)
      await generator.load(bodies)
      const records = bodies.flat().length * REQUEST_RECORDS
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
