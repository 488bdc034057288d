import { batchBuild } from './batchBuild.ts'
import { blsHttpBinary } from './bls.ts'
import type { Benchmark } from './benchmark.ts'
import { gateway } from './gateway.ts'
import { insteadL1 } from './instead/onePerTransaction.ts'
import { insteadPostgres } from './instead/postgresInline.ts'
import { latency } from './latency.ts'
import { p256HttpBinary, p256HttpJson, p256Libp2p } from './p256.ts'
import { proverReplay } from './proverReplay.ts'
import { restart } from './restart.ts'
import { restartSnapshot } from './restartSnapshot.ts'
import { settleJournal100k, settleJournal1m } from './settleJournal.ts'

/** In the order in which they run. */
export const benchmarks: readonly Benchmark[] = [
  p256Libp2p,
  p256HttpBinary,
  p256HttpJson,
  blsHttpBinary,
  settleJournal100k,
  settleJournal1m,
  batchBuild,
  proverReplay,
  restart,
  restartSnapshot,
  latency,
  gateway,
  insteadL1,
  insteadPostgres,
]
