import { Signature, verify, verifyMultipleAggregateSignatures } from '@chainsafe/blst'
import { type BlsKey, type BlsSignature, parseBlsKey } from '../protocol/bls.ts'
import { recordMessage } from '../protocol/domain.ts'
import { RECORD_BYTES } from '../protocol/limits.ts'
import { recordEvse } from '../protocol/record.ts'
import { BLS_LAYOUT } from '../protocol/scheme.ts'
import { type Benchmark, type BenchOptions, type BenchResult, medians } from './benchmark.ts'
import { REQUEST_RECORDS } from './feeder.ts'
import { LoadGenerator } from './loadGenerator.ts'
import { measure } from './measure.ts'
import { openWiredLane } from './wiredLane.ts'
import { Workload } from './workload.ts'

const CONNECTIONS = 4
/** Larger batches cost no less here. */
const BARE_BATCH = 256

export const blsHttpBinary: Benchmark = {
  name: 'bls-http-binary',
  module: import.meta.url,
  title: 'BLS records, http-binary to durable answers, beside bare verifyMultipleAggregateSignatures in batches of 256',
  aims: { cpu: { atLeast: 0.9 } },
  run,
}

interface SignatureSet {
  readonly pk: BlsKey
  readonly msg: Uint8Array
  readonly sig: BlsSignature
}

async function run(options: BenchOptions): Promise<BenchResult> {
  const evses = Math.min(options.evses, 512)
  const workload = new Workload({ evses, keys: true, layout: BLS_LAYOUT })
  await using wired = await openWiredLane(workload)
  await using generator = await LoadGenerator.open(workload, CONNECTIONS)
  await generator.connect(await wired.listen('http-binary'))
  const requestsEach = options.quick ? 1 : 4
  const sets = prepared(workload, await generator.sample(requestsEach * REQUEST_RECORDS * CONNECTIONS))

  const round = async (index: number): Promise<Record<string, number>> => {
    const sent = await generator.load(requestsEach)
    const bare = () => measure(async () => verifyAll(sets, BARE_BATCH))
    let load = { settled: 0, cpuSeconds: 0 }
    const pipeline = () =>
      measure(async () => {
        load = await generator.go({ inFlight: 2 })
      })
    const first = index % 2 === 0 ? await pipeline() : undefined
    const limit = await bare()
    const spent = first ?? (await pipeline())
    if (load.settled !== sent) throw new Error(`${load.settled} of ${sent} records settled`)
    return {
      cpu: limit.cpuSeconds / spent.cpuSeconds,
      wall: limit.wallSeconds / spent.wallSeconds,
      bareCpuMicros: (limit.cpuSeconds / sent) * 1e6,
      cpuMicros: (spent.cpuSeconds / sent) * 1e6,
      mainThreadMicros: (spent.threadSeconds / sent) * 1e6,
      recordsPerSecond: sent / spent.wallSeconds,
      barePerSecond: sent / limit.wallSeconds,
    }
  }
  const { cpu, wall, ...figures } = await medians(options.rounds, round)
  return { ratios: { cpu: cpu!, wall: wall! }, figures }
}

/** The limit's share done before the clock starts: keys, messages and signatures parsed. Subgroups are checked in the call. */
export function prepared(workload: Workload, rows: Uint8Array): SignatureSet[] {
  const { rowBytes } = BLS_LAYOUT
  return Array.from({ length: rows.length / rowBytes }, (_, i) => {
    const row = rows.subarray(i * rowBytes, (i + 1) * rowBytes)
    const evse = recordEvse(row, 0)
    const { rules, domain } = workload
    const msg = recordMessage(domain, row.subarray(0, RECORD_BYTES), rules.evseLat(evse), rules.evseLon(evse))
    return { pk: parseBlsKey(rules.evseKey(evse))!, msg, sig: Signature.fromBytes(row.subarray(RECORD_BYTES), false) }
  })
}

export function verifyAll(sets: readonly SignatureSet[], size: number): void {
  for (let from = 0; from < sets.length; from += size) {
    const batch = sets.slice(from, from + size)
    const isGood = size === 1 ? verifyOne(batch[0]!) : verifyMultipleAggregateSignatures(batch, false, true)
    if (!isGood) throw new Error('a signature does not verify')
  }
}

const verifyOne = ({ msg, pk, sig }: SignatureSet): boolean => verify(msg, pk, sig, false, true)
