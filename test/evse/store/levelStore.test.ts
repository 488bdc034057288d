import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Level } from 'level'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { keyText, keyU32, keyU53 } from '../../../evse/store/keys.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { fc } from '../../support/property.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { OWNER } from '../support/edge.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const code = (name: string) => (error: unknown) => isBackfeedError(error, name)
const writer = new URL('./writerProcess.ts', import.meta.url).pathname

test('what was written is there after a reopening, in the order of the keys', async () => {
  await using folder = await temporaryFolder()
  {
    await using store = await openEdgeStore(folder.path, OWNER)
    await store.write([
      { key: 'a/2', value: text('two') },
      { key: 'a/1', value: text('one') },
      { key: 'b/1', value: text('other') },
    ])
    await store.write([
      { key: 'a/2', value: undefined },
      { key: 'a/3', value: new Uint8Array(0) },
    ])
  }
  await using store = await openEdgeStore(folder.path, OWNER)
  const keys = async (range: Parameters<typeof store.entries>[1]) => {
    const found: string[] = []
    for await (const [key] of store.entries('a/', range)) found.push(key)
    return found
  }
  assert.deepEqual(await keys({}), ['a/1', 'a/3'])
  assert.deepEqual(await keys({ reverse: true }), ['a/3', 'a/1'])
  assert.deepEqual(await keys({ after: 'a/1' }), ['a/3'])
  assert.deepEqual(await keys({ after: 'a/3', reverse: true }), ['a/1'])
  assert.deepEqual(await keys({ limit: 1 }), ['a/1'])
  assert.equal(await store.get('a/2'), undefined)
  assert.deepEqual(await store.get('a/3'), new Uint8Array(0))
})

test('writes that are asked for together share synchronous writes', async () => {
  await using folder = await temporaryFolder()
  await using store = await openEdgeStore(folder.path, OWNER)
  await Promise.all(
    Array.from({ length: 500 }, (_, i) => store.write([{ key: `k/${keyU32(i)}`, value: text(`${i}`) }])),
  )
  await store.close()
  const level = new Level<string, Uint8Array>(join(folder.path, 'db'), { valueEncoding: 'view' })
  const count = (await level.get('!count'))!.at(-1)!
  await level.close()
  assert.ok(count <= 3, `${count} synchronous writes for 500`)
})

test('a value that was changed or moved to another key is damage, not a value', async () => {
  await using folder = await temporaryFolder()
  const store = await openEdgeStore(folder.path, OWNER)
  await store.write([
    { key: 'a/1', value: text('one') },
    { key: 'a/2', value: text('two') },
  ])
  await store.close()
  const level = new Level<string, Uint8Array>(join(folder.path, 'db'), { valueEncoding: 'view' })
  const one = (await level.get('a/1'))!
  const changed = one.slice()
  changed[changed.length - 1]! ^= 1
  await level.batch([
    { type: 'put', key: 'a/1', value: changed },
    { type: 'put', key: 'a/2', value: one },
  ])
  await level.close()
  await using opened = await openEdgeStore(folder.path, OWNER)
  await assert.rejects(opened.get('a/1'), code('DATA_CORRUPTED'))
  await assert.rejects(opened.get('a/2'), code('DATA_CORRUPTED'))
  await assert.rejects(async () => {
    for await (const _ of opened.entries('a/')) assert.fail('damaged')
  }, code('DATA_CORRUPTED'))
})

test('missing and shortened files stop the start; a folder of another deployment and a second process are refused', async () => {
  await using folder = await temporaryFolder()
  const store = await openEdgeStore(folder.path, OWNER)
  for (let i = 0; i < 20; i++) await store.write([{ key: `a/${keyU32(i)}`, value: text('x'.repeat(100)) }])
  await assert.rejects(openEdgeStore(folder.path, OWNER), code('STORE_LOCKED'))
  await store.close()
  await assert.rejects(openEdgeStore(folder.path, { ...OWNER, chainId: 1 }), code('WRONG_STORE'))

  const files = readdirSync(join(folder.path, 'db'))
  const log = join(folder.path, 'db', files.find((file) => file.endsWith('.log'))!)
  const whole = readFileSync(log)
  writeFileSync(log, whole.subarray(0, whole.length / 2))
  await assert.rejects(openEdgeStore(folder.path, OWNER), code('DATA_CORRUPTED'))

  rmSync(join(folder.path, 'db'), { recursive: true })
  await assert.rejects(openEdgeStore(folder.path, OWNER), code('DATA_CORRUPTED'))
})

test('kill -9 while writing: what was acknowledged is there, and each write wholly or not at all', async () => {
  await using folder = await temporaryFolder()
  let acknowledged = -1
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [writer, folder.path, `${acknowledged + 1}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: child.stdout })
    const stopAt = acknowledged + 40 + round * 17
    for await (const line of lines) {
      acknowledged = Number(line)
      if (acknowledged >= stopAt) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    assert.equal(child.signalCode, 'SIGKILL')
    await using store = await openEdgeStore(folder.path, OWNER)
    let next = 0
    for await (const [key, value] of store.entries('left/')) {
      assert.equal(key, `left/${keyU32(next)}`)
      assert.deepEqual(await store.get(`right/${keyU32(next)}`), value)
      next++
    }
    assert.ok(next > acknowledged, `${next} of ${acknowledged + 1} acknowledged are there`)
    acknowledged = next - 1
  }
})

test('a full disk says so, loses nothing, and writes go on when there is room again', async (t) => {
  await using folder = await temporaryFolder()
  const disk = join(folder.path, 'disk')
  mkdirSync(disk)
  const script = `mount -t tmpfs -o size=3m tmpfs '${disk}' && exec '${process.execPath}' '${writer}' '${disk}' full`
  const probe = spawnSync('unshare', ['-rm', 'sh', '-c', `mount -t tmpfs -o size=3m tmpfs '${disk}'`])
  if (probe.status !== 0) return t.skip('no small file system can be mounted here')
  const run = spawnSync('unshare', ['-rm', 'sh', '-c', script], { encoding: 'utf8' })
  assert.equal(run.stderr, '')
  const said = JSON.parse(run.stdout) as Record<string, unknown>
  assert.equal(said.code, 'STORE_FAILED')
  assert.match(String(said.message), /disk is full/)
  assert.equal(said.missing, 0)
  assert.equal(said.afterRoom, true)
})

test('numbers and names in keys keep their order and stay apart', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), (a, b) => {
      assert.equal(Math.sign(a - b), keyU32(a) < keyU32(b) ? -1 : keyU32(a) > keyU32(b) ? 1 : 0)
      assert.equal(keyU53(a) < keyU53(b * 2 ** 21), a < b * 2 ** 21)
    }),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
      assert.match(keyText(a), /^[\x21-\x7e]*$/)
      assert.doesNotMatch(keyText(a), /\//)
      assert.equal(keyText(a) === keyText(b), a === b)
    }),
  )
})
