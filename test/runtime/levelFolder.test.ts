import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openLevelTxStore } from '../../l1/txManager/levelStore.ts'
import { openLevelFolder } from '../../runtime/levelFolder.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const PROGRAM = fileURLToPath(new URL('./firstStartProcess.ts', import.meta.url))
const owner = { chainId: 1, rollup: '0x01' }

const STORES = {
  folder: (path: string) => openLevelFolder<string>({ folder: path, owner, keys: 'utf8', writeBufferBytes: 65_536 }),
  transactions: (path: string) => openLevelTxStore(path),
} as const

for (const [kind, open] of Object.entries(STORES)) {
  test(`${kind}: a process that is killed at any call of its first start leaves a store that opens`, async () => {
    await using folder = await temporaryFolder()
    for (let call = 1; ; call++) {
      const path = join(folder.path, `${call}`)
      const ended = spawnSync(process.execPath, [PROGRAM, kind, path, String(call)], { encoding: 'utf8' })
      if (ended.signal === null) {
        assert.equal(ended.status, 0, ended.stderr)
        assert.equal(call, Number(ended.stdout) + 1)
        assert.ok(call > 6, 'calls that were not seen')
        return
      }
      assert.equal(ended.signal, 'SIGKILL')
      // As the next start opens it, and the one after that.
      for (let start = 0; start < 2; start++) await (await open(path)).close()
      assert.ok(!existsSync(`${path}.new`) && !existsSync(join(path, 'store.new')))
    }
  })
}
