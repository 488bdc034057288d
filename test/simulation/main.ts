import { parseArgs } from 'node:util'
import { drawPlan } from './plan.ts'
import { play } from './play.ts'

// npm run simulate -- --seed N --steps M [--runs K]: plays the plan of a seed, and of those after it, against the real services. A
// failure says at which step, and how to play the same plan again.

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '24' },
    runs: { type: 'string', default: '1' },
    quiet: { type: 'boolean', default: false },
  },
})

const first = whole('seed', values.seed)
const steps = whole('steps', values.steps)
const runs = whole('runs', values.runs)
for (let seed = first; seed < first + runs; seed++) {
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
