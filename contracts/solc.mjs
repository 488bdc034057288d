// Answers what forge asks of a solc binary (`--version`, `--standard-json`) with npm's solc, so that no
// compiler has to be downloaded.
import { readFileSync, writeSync } from 'node:fs'
import solc from 'solc'

const version = solc.version().replace(/\.Emscripten.*$/, '.Linux.g++')
if (process.argv.includes('--standard-json')) {
  const output = Buffer.from(solc.compile(readFileSync(0, 'utf8')))
  let written = 0
  while (written < output.length) written += writeSync(1, output, written)
} else {
  writeSync(1, `solc, the solidity compiler commandline interface\nVersion: ${version}\n`)
}
