import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Abi, Hex } from 'viem'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const COMPILER = join(ROOT, 'contracts/solc.mjs')
/** A few libraries compile in seconds. */
const TIMEOUT_MS = 240_000

/** Compiles one contract that only tests need, with what it imports by relative paths, as forge would. */
export function compileContract(path: string, name: string): { abi: Abi; initCode: Hex } {
  const input = {
    language: 'Solidity',
    sources: sourcesOf(path),
    settings: {
      viaIR: true,
      optimizer: { enabled: true, runs: 2000 },
      evmVersion: 'osaka',
      outputSelection: { [path]: { [name]: ['abi', 'evm.bytecode.object'] } },
    },
  }
  const run = spawnSync(process.execPath, [COMPILER, '--standard-json'], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 64 << 20,
  })
  if (run.status !== 0) throw new Error(`solc ended with ${run.status ?? run.signal}: ${run.stderr}`)
  const { contracts, errors = [] } = JSON.parse(run.stdout) as CompilerOutput
  const compiled = contracts?.[path]?.[name]
  if (compiled === undefined)
    throw new Error(`${name}: ${errors.map(({ formattedMessage }) => formattedMessage).join('\n')}`)
  return { abi: compiled.abi, initCode: `0x${compiled.evm.bytecode.object}` }
}

interface CompilerOutput {
  readonly contracts?: Record<string, Record<string, { abi: Abi; evm: { bytecode: { object: string } } }>>
  readonly errors?: readonly { readonly formattedMessage: string }[]
}

function sourcesOf(entry: string): Record<string, { content: string }> {
  const sources: Record<string, { content: string }> = {}
  const open = [entry]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (path in sources) continue
    const content = readFileSync(join(ROOT, path), 'utf8')
    sources[path] = { content }
    for (const [, imported] of content.matchAll(/from "(\.[^"]+)"/g))
      open.push(normalize(join(dirname(path), imported!)))
  }
  return sources
}
