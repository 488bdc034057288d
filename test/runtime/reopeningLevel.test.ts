import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Level } from 'level'
import { BackfeedError, isBackfeedError } from '../../runtime/errors.ts'
import { ReopeningLevel } from '../../runtime/reopeningLevel.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const COUNT = 100
const key = (i: number): string => String(i).padStart(3, '0')
const text = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString()

/** A database of a hundred keys whose writes and openings fail when a test says so. */
async function opened(t: TestContext) {
  const folder = await temporaryFolder()
  t.after(() => folder[Symbol.asyncDispose]())
  const path = join(folder.path, 'db')
  const control = { openings: 0, failsToWrite: false, failsToOpen: false }
  const open = async (): Promise<Level<string, Uint8Array>> => {
    if (control.failsToOpen) throw new BackfeedError('STORE_FAILED', 'the disk is full', { retryable: true })
    const level = new Level<string, Uint8Array>(path, { keyEncoding: 'utf8', valueEncoding: 'view' })
    await level.open()
    control.openings++
    const batch = level.batch.bind(level)
    level.batch = (() => {
      const made = batch()
      const write = made.write.bind(made)
      made.write = async (options: object = {}) => {
        if (control.failsToWrite) throw new Error('IO error: No space left on device')
        await write(options)
      }
      return made
    }) as unknown as typeof level.batch
    return level
  }
  const db = await ReopeningLevel.open({ folder: folder.path, writeBufferBytes: 1 << 16, open })
  t.after(() => db.close())
  await db.write((made) => {
    for (let i = 0; i < COUNT; i++) made.put(key(i), Buffer.from(`value ${i}`))
  }, true)
  const put = (name: string): Promise<void> => db.write((made) => made.put(name, Buffer.from(name)), true)
  const breakIt = async (): Promise<void> => {
    control.failsToWrite = true
    await assert.rejects(put('broken'), isStoreFailed)
    control.failsToWrite = false
  }
  return { db, control, put, breakIt }
}

const isStoreFailed = (error: unknown): boolean => isBackfeedError(error, 'STORE_FAILED') && error.retryable

test('the first write after one that failed opens the database anew, once', async (t) => {
  const { db, control, put, breakIt } = await opened(t)
  await put('a')
  await db.reopen()
  assert.equal(control.openings, 1, 'nothing had failed')
  await breakIt()
  await Promise.all([put('b'), put('c'), db.reopen()])
  await put('d')
  assert.equal(control.openings, 2)
  assert.deepEqual((await db.getMany(['a', 'b', 'broken', 'c', 'd'])).map(text), ['a', 'b', undefined, 'c', 'd'])
})

for (const reverse of [false, true]) {
  test(`who reads through it ${reverse ? 'backwards ' : ''}meanwhile goes on where he was`, async (t) => {
    const { db, control, put, breakIt } = await opened(t)
    const seen: string[] = []
    for await (const [name, value] of db.entries(key(10), key(90), reverse)) {
      assert.equal(text(value), `value ${Number(name)}`)
      seen.push(name)
      if (seen.length % 7 !== 0) continue
      await breakIt()
      await put('x')
    }
    const all = Array.from({ length: 80 }, (_, i) => key(10 + i))
    assert.deepEqual(seen, reverse ? all.reverse() : all)
    assert.equal(control.openings, 1 + Math.floor(80 / 7))
  })
}

test('reads wait while it cannot be opened, until it can or it is closed for good', async (t) => {
  const { db, control, put, breakIt } = await opened(t)
  await breakIt()
  control.failsToOpen = true
  await assert.rejects(put('a'), isStoreFailed)
  let found: string | undefined
  const reading = db.get(key(1)).then((value) => {
    found = text(value)
  })
  await assert.rejects(put('b'), isStoreFailed)
  assert.equal(found, undefined)
  control.failsToOpen = false
  await reading
  assert.equal(found, 'value 1')

  await breakIt()
  control.failsToOpen = true
  await assert.rejects(put('c'), isStoreFailed)
  const late = assert.rejects(db.get(key(2)), isStoreFailed)
  await db.close()
  await late
})
