import { Command } from 'commander'
import { benchDefaults, runBench } from '../bench/run.ts'
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
}

export function benchCommand(): Command {
  return new Command('bench')
    .description('Measure each part beside its limit, in the same run (docs/performance.md).')
    .option('--only <name>', 'this benchmark; may be repeated', (name, before: string[]) => [...before, name], [])
    .option('--rounds <count>', 'counted rounds; 7, or 3 with --quick', wholeNumber(1))
    .option('--evses <count>', 'EVSEs with real keys', wholeNumber(64, 10_000), benchDefaults.evses)
    .option('--quick', 'fewer and smaller rounds: for a look, not for a baseline', false)
    .option('--json <file>', 'write every figure there')
    .option('--profile <folder>', 'a .cpuprofile of each thread into this folder')
    .option('--write-baseline', 'write the ratios as the new baseline', false)
    .action(async (options: BenchCommandOptions) => {
      const rounds = options.rounds ?? (options.quick ? 3 : benchDefaults.rounds)
      await runBench({ ...options, rounds, print: say })
    })
}
