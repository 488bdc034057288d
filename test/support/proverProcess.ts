import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { proverConfigSchema } from '../../prover/config.ts'
import { startProver } from '../../prover/main.ts'
import { parseConfig } from '../../runtime/config.ts'
import { exitCodeOf } from '../../runtime/errors.ts'

// A prover as a process of its own, to be killed: `node proverProcess.ts settings.json`. Says where it listens in one line of JSON;
// SIGTERM stops it in order.

const settings: unknown = JSON.parse(readFileSync(process.argv[2]!, 'utf8'))
try {
  const prover = await startProver(parseConfig(proverConfigSchema, settings))
  process.once('SIGTERM', () => void prover.stop())
  process.stdout.write(`${JSON.stringify({ url: prover.url })}\n`)
  await prover.done
  process.exit(0)
} catch (error) {
  process.stderr.write(`${inspect(error)}\n`)
  process.exit(exitCodeOf(error))
}
