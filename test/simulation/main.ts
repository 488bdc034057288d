import { parseArgs } from 'node:util'
import { crashEverywhere } from './diskCrashes.ts'
import { STORE_FAULTS } from './faultyDatabase.ts'
import { drawPlan } from './plan.ts'
import { play } from './play.ts'
import { crashSender } from './sendCrashes.ts'

// npm run simulate -- --seed N --steps M [--runs K] [--part service|disk|sending]: plays the plan of a seed, and of those after it, against the real services. A
// failure says at which step, and how to play the same plan again.

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '24' },
    runs: { type: 'string', default: '1' },
    part: { type: 'string', default: 'service' },
    quiet: { type: 'boolean', default: false },
  },
})

const first = whole('seed', values.seed)
const steps = whole('steps', values.steps)
const runs = whole('runs', values.runs)
if (values.part === 'sending') console.log(JSON.stringify(await crashSender()))
else {
  for (let seed = first; seed < first + runs; seed++) {
    if (values.part === 'disk') console.log(JSON.stringify({ seed, ...(await crashEverywhere(seed, STORE_FAULTS)) }))
    else if (values.part === 'service') await playSeed(seed)
    else throw new Error(`--part is service, disk or sending, not ${values.part}`)
  }
}
// A crash leaves behind what a process that ended would not.
process.exit(0)

async function playSeed(seed: number): Promise<void> {
  const plan = drawPlan(seed, steps)
  console.log(`seed ${seed}: ${steps} steps, batches as ${plan.data}`)
  const startedAt = performance.now()
  const played = await play(plan, values.quiet ? () => {} : (text) => console.log(`  ${text}`))
  console.log(JSON.stringify({ seed, seconds: Math.round((performance.now() - startedAt) / 1000), ...played }))
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} takes a whole number, not ${text}`)
  return Number(text)
}
