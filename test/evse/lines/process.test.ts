import { CLI } from '../../support/commandLine.ts'
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import type { Line } from '../support/firmware.ts'

const T = 900_000 * Math.floor((Date.now() - 3_600_000) / 900_000)

function writeConfig(folder: string, more = ''): string {
  const keyFile = join(folder, 'evse.pem')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  const path = join(folder, 'evse.toml')
  writeFileSync(
    path,
    `dataDir = "${join(folder, 'data')}"
sequencers = ["http://127.0.0.1:9"]
operators = ["0x00000000000000000000000000000000000000bb"]
http = { port = 0 }
signer = { kind = "file", keyFile = "${keyFile}" }
evse = { name = "one", chainId = 31337, rollup = "0x00000000000000000000000000000000000000aa", lane = 0, slot = 3, ratedW = 11000, lat = 48.7, lon = 9.1, position = "reported" }
${more}`,
  )
  return path
}

/** `backfeed evse` over standard input and output. */
function run(config: string): AsyncDisposable & {
  say: (line: object | string) => void
  next: (type: string) => Promise<Line>
  end: () => Promise<number | null>
} {
  const child = spawn(process.execPath, [CLI, 'evse', '--config', config], { stdio: ['pipe', 'pipe', 'inherit'] })
  const said: Line[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', (text) => {
    said.push(JSON.parse(text) as Line)
    for (const look of waiting) look()
  })
  const exited = once(child, 'exit')
  return {
    say: (line) => void child.stdin.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`),
    next: (type) =>
      new Promise((resolve) => {
        const look = (): void => {
          const at = said.findIndex((line) => line.type === type)
          if (at < 0) return
          waiting.delete(look)
          resolve(said.splice(at, 1)[0]!)
        }
        waiting.add(look)
        look()
      }),
    end: async () => {
      child.stdin.end()
      const [code] = (await exited) as [number | null]
      return code
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

test('lines over standard input: answers, repeats over a restart, what is wrong, position and status', {
  timeout: 300_000,
}, async () => {
  await using folder = await temporaryFolder()
  const config = writeConfig(folder.path, 'log = { level = "silent" }')
  const event = (seqNo: number) => ({
    type: 'transaction',
    id: `e${seqNo}`,
    event: seqNo === 0 ? 'started' : 'updated',
    transaction: 't',
    seqNo,
    atMs: T + seqNo * 900_000,
    contract: 2,
    capacityWh: 50_000,
    samples: [{ atMs: T + seqNo * 900_000, exportWh: 5_000.25 + seqNo * 1_000, socPercent: 80 - 2 * seqNo, tempC: 20 }],
  })
  {
    await using agent = run(config)
    agent.say(event(0))
    assert.deepEqual(await agent.next('ack'), { type: 'ack', line: 1, id: 'e0', result: 'TAKEN' })
    agent.say('{"type": "sample"')
    agent.say({ type: 'sample', id: 'bad', transaction: 't', seqNo: 1, atMs: T, watts: 1 })
    assert.equal((await agent.next('error')).line, 2)
    const { code, id, message } = await agent.next('error')
    assert.deepEqual({ code, id }, { code: 'LINE_INVALID', id: 'bad' })
    assert.match(String(message), /watts/)
    agent.say(event(1))
    assert.equal((await agent.next('ack')).result, 'TAKEN')
  }
  await using agent = run(config)
  agent.say(event(1))
  assert.equal((await agent.next('ack')).result, 'REPEATED')
  const status = async () => {
    agent.say({ type: 'status' })
    return (await agent.next('status')).status as { problems: { code: string }[]; outbox: { waitingRows: number } }
  }
  // Without a position fix nothing is signed.
  const before = await status()
  assert.ok(before.problems.some(({ code }) => code === 'ERR_GEOFENCE'))
  assert.equal(before.outbox.waitingRows, 0)
  agent.say({ type: 'position', lat: 48.7, lon: 9.1001 })
  assert.equal((await agent.next('ack')).result, 'DONE')
  for (;;) {
    const now = await status()
    if (now.outbox.waitingRows === 1) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.equal(await agent.end(), 0)
})

test('the guard next to the hardware: commands go out as lines, stale telemetry pauses', {
  timeout: 300_000,
}, async () => {
  await using folder = await temporaryFolder()
  const guard = 'guard = { contactorDwellMs = 0, telemetry = { resumeAfterMs = 0 }, rampUpWPerS = 1000000 }'
  await using agent = run(writeConfig(folder.path, `log = { level = "silent" }\n${guard}`))
  const first = await agent.next('command')
  assert.deepEqual({ do: first.do, watts: first.watts }, { do: 'limit', watts: 0 })
  agent.say({ type: 'answer', command: first.command, answer: 'ACCEPTED' })
  agent.say({ type: 'demand', watts: 5_000, seconds: 60 })
  const beat = setInterval(() => {
    const grid = { gridVoltageV: 230, gridFrequencyHz: 50 }
    agent.say({ type: 'telemetry', powerW: 0, tempC: 25, contactorClosed: true, ...grid })
  }, 50)
  for (let watts = 0; watts < 5_000; ) {
    const command = await agent.next('command')
    agent.say({ type: 'answer', command: command.command, answer: 'ACCEPTED' })
    watts = Number(command.watts)
  }
  clearInterval(beat)
  const stoppedMs = performance.now()
  let [isPaused, slowestMs] = [false, 0]
  const asking = (async () => {
    while (!isPaused) {
      const askedMs = performance.now()
      agent.say({ type: 'status' })
      await agent.next('status')
      slowestMs = Math.max(slowestMs, performance.now() - askedMs)
    }
  })()
  for (;;) {
    const command = await agent.next('command')
    if (command.watts === 0) break
  }
  const tookMs = performance.now() - stoppedMs
  isPaused = true
  await asking
  // What the machine took away from the agent is not the guard's: nothing else was answered sooner.
  assert.ok(tookMs < 1_000 + slowestMs, `paused ${tookMs} ms after the last telemetry was due`)
})

test('a mistake in the configuration names its key, and ends with exit code 2', async () => {
  await using folder = await temporaryFolder()
  const config = writeConfig(folder.path, 'delivery = { maxRows = 5 }\nclock = { source = "ntp" }')
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'evse', '--config', config], { encoding: 'utf8' })
  assert.equal(status, 2)
  assert.match(stderr, /delivery\.maxRows: unknown key/)
})
