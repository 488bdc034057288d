import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { keyU32 } from '../../../evse/store/keys.ts'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { OWNER } from '../support/edge.ts'

// Writes pairs until it is killed, and says each number once it is acknowledged: `node writerProcess.ts folder first`. With `full` instead of
// a number it fills the disk, says what it was told, makes room and goes on.

const [folder, first] = process.argv.slice(2) as [string, string]
const pair = (number: number) => {
  const value = new Uint8Array(1_000).fill(number)
  return [
    { key: `left/${keyU32(number)}`, value },
    { key: `right/${keyU32(number)}`, value },
  ]
}

if (first === 'full') {
  const ballast = join(folder, 'ballast')
  writeFileSync(ballast, new Uint8Array(1_000_000))
  const store = await openEdgeStore(folder, OWNER)
  let written = 0
  let failure: unknown
  while (failure === undefined) {
    try {
      await store.write(pair(written))
      written++
    } catch (error) {
      failure = error
    }
  }
  rmSync(ballast)
  let afterRoom = false
  await store.write(pair(written)).then(() => (afterRoom = true))
  await store.close()
  const opened = await openEdgeStore(folder, OWNER)
  let missing = 0
  for (let number = 0; number <= written; number++) {
    for (const { key } of pair(number)) if ((await opened.get(key)) === undefined) missing++
  }
  await opened.close()
  const code = isBackfeedError(failure) ? failure.code : String(failure)
  process.stdout.write(JSON.stringify({ code, message: (failure as Error).message, written, missing, afterRoom }))
} else {
  const store = await openEdgeStore(folder, OWNER)
  for (let number = Number(first); ; number += 8) {
    const numbers = Array.from({ length: 8 }, (_, i) => number + i)
    await Promise.all(numbers.map((each) => store.write(pair(each)).then(() => process.stdout.write(`${each}\n`))))
  }
}
