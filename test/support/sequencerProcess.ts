import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parseConfig } from '../../runtime/config.ts'
import { exitCodeOf } from '../../runtime/errors.ts'
import { letHeapGrow } from '../../runtime/heapGrowth.ts'
import { sequencerConfigSchema } from '../../sequencer/config.ts'
import { startSequencer } from '../../sequencer/main.ts'

// A sequencer as a process of its own, as its command starts it, to be killed: `node sequencerProcess.ts settings.json`. Says where it listens in one line of
// JSON; SIGTERM stops it in order, SIGUSR2 collects what is garbage, so that what remains can be measured.

letHeapGrow()
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
process.on('SIGUSR2', () => collect())
const settings: unknown = JSON.parse(readFileSync(process.argv[2]!, 'utf8'))
try {
  const config = parseConfig(sequencerConfigSchema, settings)
  const sequencer = await startSequencer(config as Parameters<typeof startSequencer>[0])
  process.once('SIGTERM', () => void sequencer.stop())
  const { url, adminUrl, multiaddrs } = sequencer
  process.stdout.write(`${JSON.stringify({ url, adminUrl, multiaddrs })}\n`)
  await sequencer.done
  process.exit(0)
} catch (error) {
  process.stderr.write(`${inspect(error)}\n`)
  process.exit(exitCodeOf(error))
}
