import { Command } from 'commander'
import { benchDefaults } from '../bench/defaults.ts'
import { wholeNumber } from './options.ts'
import { say } from './output.ts'

interface BenchCommandOptions {
  only: string[]
  rounds?: number
  evses: number
  quick: boolean
  json?: string
  profile?: string
  writeBaseline: boolean
  curves: boolean
  plots: string
}

export function benchCommand(): Command {
  return new Command('bench')
    .description('Measure each part beside its limit, in the same run (docs/performance.md).')
    .option(
      '--only <name>',
      'this benchmark or curve; may be repeated',
      (name, before: string[]) => [...before, name],
      [],
    )
    .option('--rounds <count>', 'counted rounds; 7, of curves 5, or 3 with --quick', wholeNumber(1))
    .option('--evses <count>', 'EVSEs with real keys', wholeNumber(64, 10_000), benchDefaults.evses)
    .option('--quick', 'fewer and smaller rounds: for a look, not for a baseline', false)
    .option('--json <file>', 'write every figure there')
    .option('--profile <folder>', 'a .cpuprofile of each thread into this folder, and a table of where time went')
    .option('--write-baseline', 'write the ratios as the new baseline', false)
    .option('--curves', 'how it grows with EVSEs, workers and batches, and no benchmarks', false)
    .option('--plots <folder>', 'draw the curves into this folder', benchDefaults.plots)
    .action(async (options: BenchCommandOptions) => {
      const { runBench } = await import('../bench/run.ts')
      const { curves, quick, ...rest } = options
      const rounds = options.rounds ?? (quick ? 3 : benchDefaults.rounds)
      const curveRounds = options.rounds ?? (quick ? 3 : benchDefaults.curveRounds)
      await runBench({ ...rest, quick, rounds, curveRounds, curvesOnly: curves, print: say })
    })
}
