import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { VerifyPool } from '../../sequencer/verify/pool.ts'
import { Verdict } from '../../sequencer/verify/verifier.ts'
import type { BenchOptions, Rounds } from '../benchmark.ts'
import { prepared, verifyAll } from '../bls.ts'
import { defaults } from '../localLane.ts'
import { measure } from '../measure.ts'
import { inTurn, RecordMaker } from '../recordMaker.ts'
import { LANE, NOW, Workload } from '../workload.ts'
import type { Curve } from './curve.ts'

const EVSES = 256

export const blsBatches: Curve = {
  name: 'batch-bls',
  title: 'Verifying BLS signatures, by how many are verified together',
  x: { label: 'signatures verified together', isLog: true, values: [1, 4, 16, 64, 256] },
  panels: [
    {
      title: 'µs of CPU a signature',
      series: [
        { figure: 'bareCpuMicros', label: 'limit: blst alone, everything parsed before', role: 'limit' },
        { figure: 'cpuMicros', label: 'verification stage', role: 'real' },
      ],
    },
    {
      title: 'CPU of the limit over that of the stage',
      limitIsOne: true,
      series: [{ figure: 'cpu', label: 'ratio', role: 'also' }],
    },
    {
      title: 'Signatures a second',
      series: [
        { figure: 'barePerSecond', label: 'limit', role: 'limit' },
        { figure: 'recordsPerSecond', label: 'verification stage', role: 'real' },
      ],
    },
  ],
  open,
}

/** The stage alone, its tasks as large as `x` and always full: a job has more rows than that. */
async function open(x: number, { quick }: BenchOptions): Promise<Rounds> {
  const options = { evses: EVSES, keys: true, layout: BLS_LAYOUT }
  const workload = new Workload(options)
  const maker = new RecordMaker(options)
  const { domain, rules } = workload
  const count = Math.max(quick ? 64 : 256, x)
  const turn = { next: 0 }
  const slabs = Math.max(defaults.verify.bls.slabs, Math.ceil(count / x))
  const { workers, gatherMs, maxKeysPerWorker } = defaults.verify.bls
  const pool = new VerifyPool({
    layout: BLS_LAYOUT,
    workers,
    rowsPerSlab: x,
    slabs,
    gatherMs,
    maxKeysPerWorker,
    domains: new Map([[LANE, domain]]),
  })
  const round = async (index: number): Promise<Record<string, number>> => {
    const rows = maker.rows(inTurn(turn, { from: 0, step: 1, end: EVSES }, count), count)
    const sets = prepared(workload, rows)
    const verdicts = new Uint8Array(count)
    const stage = () => measure(() => pool.verify({ lane: LANE, rows, count, rules, asOf: NOW, verdicts }))
    const first = index % 2 === 0 ? await stage() : undefined
    const limit = await measure(async () => verifyAll(sets, x))
    const spent = first ?? (await stage())
    if (!verdicts.every((verdict) => verdict === Verdict.GOOD)) throw new Error('a signature does not verify')
    return {
      cpu: limit.cpuSeconds / spent.cpuSeconds,
      bareCpuMicros: (limit.cpuSeconds / count) * 1e6,
      cpuMicros: (spent.cpuSeconds / count) * 1e6,
      barePerSecond: count / limit.wallSeconds,
      recordsPerSecond: count / spent.wallSeconds,
    }
  }
  return { round, [Symbol.asyncDispose]: () => pool.close() }
}
