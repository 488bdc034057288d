import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { Level } from 'level'
import { openLevelTxStore } from '../../l1/txManager/levelStore.ts'
import { openLevelFolder } from '../../runtime/levelFolder.ts'

// Opens a store for the first time and is killed before its nth call to the disk: `node firstStartProcess.ts folder|transactions PATH n`. Ends by
// itself, and says how many there were, when there were fewer.

const [kind, path, last] = process.argv.slice(2) as ['folder' | 'transactions', string, string]
let calls = 0
const step = (): void => {
  if (++calls === Number(last)) process.kill(process.pid, 'SIGKILL')
}
type Call = (...given: unknown[]) => unknown
const watch = (object: object, names: readonly string[]): void => {
  const holder = object as Record<string, Call>
  for (const name of names) {
    const real = holder[name]!
    holder[name] = function (this: unknown, ...given) {
      step()
      return real.apply(this, given)
    }
  }
}
watch(fs, ['mkdirSync', 'openSync', 'writeSync', 'fsyncSync', 'closeSync', 'rmSync'])
watch(fs.promises, ['mkdir', 'readdir', 'open', 'rename', 'rm'])
watch(Level.prototype, ['open', 'put', 'get'])
syncBuiltinESMExports()

if (kind === 'folder') {
  const owner = { chainId: 1, rollup: '0x01' }
  await (await openLevelFolder({ folder: path, owner, keys: 'utf8', writeBufferBytes: 65_536 })).close()
} else {
  await (await openLevelTxStore(path)).close()
}
process.stdout.write(String(calls))
