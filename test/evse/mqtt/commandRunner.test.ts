import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommandPort } from '../../../evse/guard/commandPort.ts'
import { CommandRunner } from '../../../evse/mqtt/commandRunner.ts'
import { MAX_KNOWN_COMMANDS } from '../../../evse/mqtt/limits.ts'

function runnerOf(controls: Partial<CommandPort>) {
  const obeyed: string[] = []
  const runner = new CommandRunner({
    evse: 'evse-1',
    now: () => 1_000,
    controls: {
      setLimit: async (evse, watts) => {
        obeyed.push(`${evse} ${watts}`)
        return 'ACCEPTED'
      },
      stop: async (evse, reason) => {
        obeyed.push(`${evse} ${reason}`)
        return 'ACCEPTED'
      },
      ...controls,
    },
  })
  return { runner, obeyed }
}

const limit = (id: string, deadlineMs: number) => ({ command: 'setLimit', id, deadlineMs, watts: 500 }) as const

test('obeys in time, once, and answers a repeat alike', async () => {
  const { runner, obeyed } = runnerOf({})
  assert.deepEqual(await runner.run(limit('a', 1_001)), { id: 'a', answer: 'ACCEPTED' })
  assert.deepEqual(await runner.run(limit('a', 1_001)), { id: 'a', answer: 'ACCEPTED' })
  assert.deepEqual(await runner.run({ command: 'stop', id: 'b', deadlineMs: 2_000, reason: 'X' }), {
    id: 'b',
    answer: 'ACCEPTED',
  })
  assert.deepEqual(obeyed, ['evse-1 500', 'evse-1 X'])
})

test('rejects what is late, and says so for hardware that fails or is silent', async () => {
  const late = runnerOf({})
  for (const deadlineMs of [1_000, 0]) {
    assert.equal((await late.runner.run(limit(`late-${deadlineMs}`, deadlineMs))).answer, 'REJECTED')
  }
  assert.deepEqual(late.obeyed, [])
  const silent = runnerOf({ setLimit: async () => 'UNREACHABLE' })
  assert.match((await silent.runner.run(limit('a', 2_000))).reason!, /does not answer/)
  const failing = runnerOf({ setLimit: async () => Promise.reject(new Error('relay')) })
  assert.match((await failing.runner.run(limit('a', 2_000))).reason!, /failed/)
})

test('remembers so many commands and no more', async () => {
  const { runner, obeyed } = runnerOf({})
  for (let i = 0; i <= MAX_KNOWN_COMMANDS; i++) await runner.run(limit(`c${i}`, 2_000))
  await runner.run(limit(`c${MAX_KNOWN_COMMANDS}`, 2_000))
  assert.equal(obeyed.length, MAX_KNOWN_COMMANDS + 1)
  await runner.run(limit('c0', 2_000))
  assert.equal(obeyed.length, MAX_KNOWN_COMMANDS + 2)
})
