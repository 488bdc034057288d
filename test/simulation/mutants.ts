import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

// node test/simulation/mutants.ts [--only NAME]: plants one bug at a time into a copy of the tree and asks whether the simulation sees
// it. A simulation that finds nothing proves little until it has found these.

interface Mutant {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
  /** Arguments of the simulation's main file: parts and seeds that are known to see it. */
  readonly caughtBy: readonly (readonly string[])[]
}

const DISK = ['--part', 'disk'] as const
const SENDING = ['--part', 'sending'] as const
const service = (seed: number, steps: number): readonly string[] => ['--seed', String(seed), '--steps', String(steps)]

const MUTANTS: readonly Mutant[] = [
  {
    name: 'an answer before it is durable',
    file: 'sequencer/store/journal.ts',
    from: '    await this.#database.write(operations)\n    this.#head = head\n',
    to: '    void this.#database.write(operations).catch(() => {})\n    this.#head = head\n',
    caughtBy: [DISK],
  },
  {
    name: 'a failed write is not undone in memory',
    file: 'sequencer/sequence/stage.ts',
    from: '    } catch (error) {\n      undo()\n      throw error\n    }\n    this.#book.state.keep()',
    to: '    } catch (error) {\n      throw error\n    }\n    this.#book.state.keep()',
    caughtBy: [DISK],
  },
  {
    name: 'what a failed write left on disk stays there',
    file: 'sequencer/store/journal.ts',
    from: '    await this.#database.write(operations)\n  }\n\n  /** Every entry behind',
    to: '  }\n\n  /** Every entry behind',
    caughtBy: [DISK],
  },
  {
    name: 'the journal does not write its head',
    file: 'sequencer/store/journal.ts',
    from: "    operations.push({ type: 'put', key: tableKey(Table.HEAD, this.lane), value: encodeHead(head) })\n    await",
    to: '    await',
    caughtBy: [DISK],
  },
  {
    name: 'duplicates are not looked up',
    file: 'sequencer/sequence/duplicates.ts',
    from: 'if (overlaps.length === 0) return',
    to: 'if (overlaps.length >= 0) return',
    caughtBy: [DISK],
  },
  {
    name: 'an offer is broadcast and its nonce not written',
    file: 'l1/txManager/txBook.ts',
    from: '    await this.#store.put(record)\n    this.#records',
    to: "    if (record.status.kind !== 'pending') await this.#store.put(record)\n    this.#records",
    caughtBy: [SENDING],
  },
  {
    name: 'a restart takes the next free nonce although offers are out',
    file: 'l1/txManager/txBook.ts',
    from: 'for (const record of await this.#store.load()) this.#records',
    to: "for (const record of await this.#store.load()) if (record.status.kind !== 'pending') this.#records",
    caughtBy: [SENDING],
  },
  {
    name: 'a request that could not be written down is forgotten',
    file: 'l1/txManager/txQueue.ts',
    from: '      if (again(error)) this.#waiting.unshift(request)\n',
    to: '      void again\n',
    caughtBy: [SENDING],
  },
  {
    name: 'posted is not lowered when L1 reorganises',
    file: 'sequencer/commit/committer.ts',
    from: '    if (posted === this.#posted) return\n',
    to: '    if (posted <= this.#posted) return\n',
    caughtBy: [service(5, 19), service(6, 19), service(8, 19)],
  },
]

const root = fileURLToPath(new URL('../..', import.meta.url))
const NOT_COPIED = new Set(['node_modules', '.git', '.ci', 'docs', 'deploy'])

async function caught(mutant: Mutant): Promise<string | undefined> {
  const copy = mkdtempSync(join(tmpdir(), 'backfeed-mutant-'))
  try {
    cpSync(root, copy, { recursive: true, filter: (from) => !NOT_COPIED.has(from.slice(root.length).split('/')[0]!) })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const path = join(copy, mutant.file)
    const text = readFileSync(path, 'utf8')
    if (text.split(mutant.from).length !== 2) throw new Error(`"${mutant.name}" does not fit ${mutant.file} any more`)
    writeFileSync(
      path,
      text.replace(mutant.from, () => mutant.to),
    )
    for (const args of mutant.caughtBy) {
      const env = { ...process.env, SIMULATION_DRAIN_MS: process.env.SIMULATION_DRAIN_MS ?? '60000' }
      const child = spawn(process.execPath, ['test/simulation/main.ts', '--quiet', ...args], {
        cwd: copy,
        env,
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let said = ''
      child.stderr.on('data', (part: Buffer) => {
        said += part.toString()
      })
      const [code] = (await once(child, 'close')) as [number | null]
      if (code !== 0) return `${args.join(' ')}: ${reasonIn(said)}`
    }
    return undefined
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** The innermost message of what a run threw. */
function reasonIn(text: string): string {
  const lines = text.split('\n').filter((line) => /^\s*(\[cause\]: )?\w*Error/.test(line))
  return (lines.at(-1) ?? text.slice(-200)).trim().slice(0, 160)
}

const { values } = parseArgs({ options: { only: { type: 'string' } } })
let missed = 0
for (const mutant of MUTANTS) {
  if (values.only !== undefined && !mutant.name.includes(values.only)) continue
  const how = await caught(mutant)
  if (how === undefined) missed++
  console.log(
    `${how === undefined ? 'NOT CAUGHT' : 'caught    '} ${mutant.name}${how === undefined ? '' : ` by ${how}`}`,
  )
}
process.exitCode = missed === 0 ? 0 : 1
