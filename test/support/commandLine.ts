import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './temporaryFolder.ts'

export const CLI = fileURLToPath(new URL('../../cli/backfeed.ts', import.meta.url))

export interface Answer {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** One command, with its standard input and outputs. */
export function backfeed(parameters: readonly string[], input = ''): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...parameters], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out: out.trim(), err: err.trim() })
    })
    child.stdin?.end(input)
  })
}

export interface Played {
  readonly code: number | null
  /** Both streams, as they came. */
  readonly output: string
  /** What it left in its temporary folder. */
  readonly left: readonly string[]
}

/** A command that runs for minutes, with a temporary folder of its own; `onOutput` hears of all that it said so far. */
export async function play(
  parameters: readonly string[],
  onOutput: (output: string, child: ChildProcess) => void = () => {},
): Promise<Played> {
  await using folder = await temporaryFolder()
  const child = spawn(process.execPath, [CLI, ...parameters], {
    env: { ...process.env, TMPDIR: folder.path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      onOutput(output, child)
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output, left: readdirSync(folder.path) }
}
