import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, posix } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

// The rules of docs/architecture.md that can be checked, checked.

const root = fileURLToPath(new URL('..', import.meta.url))

/** What each folder may import besides itself and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  runtime: ['protocol'],
  l1: ['protocol', 'runtime'],
  client: ['protocol'],
  sequencer: ['protocol', 'l1', 'runtime'],
  prover: ['protocol', 'l1', 'runtime'],
  bridge: ['protocol', 'l1', 'runtime'],
  evse: ['protocol', 'runtime', 'client'],
  gateway: ['protocol', 'l1', 'runtime', 'client', 'evse'],
  devnet: ['protocol', 'l1', 'runtime', 'client', 'evse', 'gateway', 'sequencer', 'prover', 'bridge'],
  cli: ['protocol', 'l1', 'runtime', 'client', 'evse', 'gateway', 'sequencer', 'prover', 'bridge', 'devnet', 'bench'],
  bench: ['protocol', 'l1', 'runtime', 'client', 'evse', 'gateway', 'sequencer', 'prover', 'bridge', 'devnet'],
}

const STAGES = ['ingress', 'verify', 'sequence', 'batch', 'commit', 'webhooks', 'api']

/** Pure folders: no I/O, no clock, no randomness. Hashing and verifying are computation. */
const PURE_PACKAGES = [
  'viem',
  '@chainsafe/hashtree',
  '@chainsafe/blst',
  '@noble/curves/bls12-381.js',
  '@noble/curves/secp256k1.js',
  'node:crypto',
]
const IMPURE_CALLS =
  /\b(Date\.now|new Date|Math\.random|randomBytes|randomInt|performance\.now|setTimeout|setInterval|process\.)/

const MAX_LINES = 400

const SKIPPED = ['node_modules', 'contracts/out', 'contracts/cache']

/** Files of the repository, by path. Walked rather than asked of git: an unpacked archive is checked alike. */
const files = filesUnder('')
const sources = files.filter((file) => file.endsWith('.ts') && topOf(file) in MAY_IMPORT)
const typescript = files.filter((file) => file.endsWith('.ts'))
const written = files.filter(
  (file) => /\.(ts|sol|mjs|md|json|toml|sh|html|css)$/.test(file) && file !== 'package-lock.json',
)

const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8')

function filesUnder(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.name.startsWith('.') || SKIPPED.includes(path)) return []
    return entry.isDirectory() ? filesUnder(path) : [path]
  })
}

function topOf(file: string): string {
  return file.split('/')[0]!
}

interface Import {
  readonly from: string
  /** Repository path of a local file, or a package's name. */
  readonly to: string
  readonly local: boolean
}

function importsOf(file: string): Import[] {
  const text = read(file)
  const found = [
    ...text.matchAll(/^\s*(?:import|export)\s[^'"`;]*?from\s+'([^']+)'/gm),
    ...text.matchAll(/^\s*import\s+'([^']+)'/gm),
    ...text.matchAll(/\bimport\(\s*'([^']+)'/g),
    ...text.matchAll(/new URL\(\s*'(\.[^']+\.ts)'\s*,\s*import\.meta\.url/g),
  ]
  return found.map(([, name]) => {
    const local = name!.startsWith('.')
    return { from: file, local, to: local ? posix.join(dirname(file), name!) : name! }
  })
}

const imports = typescript.flatMap(importsOf)

test('the checks see the repository', () => {
  assert.ok(sources.includes('protocol/settlement.ts'))
  assert.ok(imports.some(({ from, to }) => from === 'protocol/settlement.ts' && to === 'protocol/laneRules.ts'))
})

test('local imports name an existing file', () => {
  for (const { from, to, local } of imports) if (local) assert.ok(existsSync(`${root}${to}`), `${from} imports ${to}`)
})

test('folders import only downwards', () => {
  for (const { from, to, local } of imports) {
    const [top, target] = [topOf(from), topOf(to)]
    const allowed = MAY_IMPORT[top]
    if (!local || allowed === undefined || top === target) continue
    assert.ok(allowed.includes(target), `${from} may not import ${to}`)
  }
})

test('protocol is pure', () => {
  for (const { from, to, local } of imports) {
    if (topOf(from) !== 'protocol' || local) continue
    assert.ok(PURE_PACKAGES.includes(to), `${from} may not import ${to}`)
  }
  for (const file of sources.filter((name) => topOf(name) === 'protocol')) {
    const found = IMPURE_CALLS.exec(read(file))
    assert.equal(found, null, `${file} uses ${found?.[0]}`)
  }
})

test('a stage of the sequencer imports no other stage', () => {
  const stageOf = (file: string): string | undefined => {
    const [top, folder, ...rest] = file.split('/')
    return top === 'sequencer' && rest.length > 0 && STAGES.includes(folder!) ? folder : undefined
  }
  for (const { from, to, local } of imports) {
    const [stage, target] = [stageOf(from), stageOf(to)]
    if (!local || stage === undefined || target === undefined) continue
    assert.equal(target, stage, `${from} may not import ${to}: main.ts alone connects stages`)
  }
  // What stages share knows none of them.
  for (const { from, to, local } of imports) {
    const shared = /^sequencer\/(store\/.*|[^/]+)$/.test(from) && from !== 'sequencer/main.ts'
    if (local && shared) assert.equal(stageOf(to), undefined, `${from} may not import ${to}`)
  }
})

test('only tests import tests', () => {
  for (const { from, to, local } of imports) {
    if (local && topOf(to) === 'test') assert.equal(topOf(from), 'test', `${from} imports ${to}`)
  }
})

test('no dead files', () => {
  const isEntry = (file: string): boolean =>
    file.startsWith('cli/') ||
    // Generated, all or none.
    file.startsWith('l1/abi/') ||
    file.endsWith('.test.ts') ||
    /^test\/vectors\/generate-/.test(file) ||
    /^test\/simulation\/(main|mutants)\.ts$/.test(file) ||
    /^contracts\/tools\//.test(file)
  const imported = new Set(imports.map(({ to }) => to))
  // A file that nothing but tests reads is as dead as one that nothing reads, unless it is a test's own helper.
  const byProgram = new Set(imports.filter(({ from }) => topOf(from) !== 'test').map(({ to }) => to))
  // Types of a package that ships none live as long as somebody imports the package.
  const typed = (file: string): string | undefined => /declare module '([^']+)'/.exec(read(file))?.[1]
  const dead = typescript.filter((file) => {
    if (isEntry(file)) return false
    if (file.endsWith('.d.ts')) return !byProgram.has(typed(file) ?? '')
    return topOf(file) === 'test' ? !imported.has(file) : !byProgram.has(file)
  })
  assert.deepEqual(dead, [])
})

test('nothing is left for later', () => {
  const self = 'test/tidy.test.ts'
  const marked = written.filter((file) => file !== self && /\b(FIXME|TODO|XXX)\b/.test(read(file)))
  assert.deepEqual(marked, [])
})

test('no file is longer than 400 lines', () => {
  const long = files
    .filter((file) => /\.(ts|sol)$/.test(file) && !file.startsWith('l1/abi/'))
    .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES)
  assert.deepEqual(long, [])
})

test('no path of one machine', () => {
  const found = written.flatMap((file) => {
    const path = /(?:^|[\s'"`(=])(\/(?:work|home|Users|root|mnt)\/\w+)/m.exec(read(file))?.[1]
    return path === undefined ? [] : [`${file}: ${path}`]
  })
  assert.deepEqual(found, [])
})

test('tests mirror the source', () => {
  for (const file of files) {
    const mirrored = /^test\/(protocol|runtime|l1|client|sequencer|prover|bridge|bench)\/(.+)\.test\.ts$/.exec(file)
    if (mirrored === null) continue
    const folder = posix.join(mirrored[1]!, dirname(mirrored[2]!))
    assert.ok(
      sources.some((source) => source.startsWith(`${folder}/`)),
      `${file} mirrors no folder`,
    )
  }
})
