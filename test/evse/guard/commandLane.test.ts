import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommandAnswer } from '../../../evse/guard/commandPort.ts'
import type { GuardCommand } from '../../../evse/guard/guardState.ts'
import { CommandLane } from '../../../evse/guard/commandLane.ts'
import { NotingPort } from '../../gateway/control/support.ts'

const limit = (id: number, watts: number): GuardCommand => ({ kind: 'LIMIT', id, watts, why: 'RAMPING' })
const stop = (id: number): GuardCommand => ({ kind: 'STOP', id, reason: 'RATED_POWER_EXCEEDED' })

function rig(timeoutMs = 10_000) {
  const port = new NotingPort()
  const pending: ((answer: CommandAnswer) => void)[] = []
  port.answer = () => new Promise((resolve) => pending.push(resolve))
  const answers: [number, CommandAnswer][] = []
  const errors: unknown[] = []
  const told = Promise.withResolvers<void>()
  const lane = new CommandLane({
    evse: 'a',
    port,
    timeoutMs,
    answered: (command, answer) => {
      answers.push([command.id, answer])
      told.resolve()
    },
    failed: (error) => errors.push(error),
  })
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
  return { port, pending, answers, errors, lane, settle, told: told.promise }
}

test('one at a time, and of those that wait only the newest', async () => {
  const { port, pending, answers, lane, settle } = rig()
  for (const [id, watts] of [1_000, 2_000, 3_000, 4_000].entries()) lane.send(limit(id, watts))
  assert.deepEqual(port.wattsOf('a'), [1_000])
  pending[0]!('ACCEPTED')
  await settle()
  assert.deepEqual(port.wattsOf('a'), [1_000, 4_000])
  pending[1]!('REJECTED')
  await settle()
  assert.deepEqual(answers, [
    [0, 'ACCEPTED'],
    [3, 'REJECTED'],
  ])
})

test('a pause does not queue behind a command that hangs', async () => {
  const { port, pending, answers, lane, settle } = rig()
  lane.send(limit(1, 5_000))
  lane.send(limit(2, 6_000))
  lane.send(limit(3, 0))
  assert.deepEqual(port.wattsOf('a'), [5_000, 0])
  assert.equal(port.sent[0]!.signal.aborted, true)
  assert.equal(port.sent[1]!.signal.aborted, false)
  pending[0]!('ACCEPTED')
  await settle()
  assert.deepEqual(answers, [])
  pending[1]!('ACCEPTED')
  await settle()
  assert.deepEqual(answers, [[3, 'ACCEPTED']])
  assert.deepEqual(port.wattsOf('a'), [5_000, 0])
})

test('a stop goes before everything, and nothing before a stop', async () => {
  const { port, pending, lane, settle } = rig()
  lane.send(limit(1, 0))
  lane.send(stop(2))
  lane.send(limit(3, 0))
  assert.deepEqual(port.wattsOf('a'), [0, undefined])
  pending[1]!('ACCEPTED')
  await settle()
  assert.deepEqual(port.wattsOf('a'), [0, undefined, 0])
})

test('no answer in time is UNREACHABLE, also of a port that does not give up', async () => {
  const { port, answers, lane, told } = rig(20)
  lane.send(limit(1, 5_000))
  await told
  assert.deepEqual(answers, [[1, 'UNREACHABLE']])
  assert.equal(port.sent[0]!.signal.aborted, true)
})

test('a port that throws is UNREACHABLE, and told', async () => {
  const { port, answers, errors, lane, told } = rig()
  port.answer = async () => {
    throw new Error('against the contract')
  }
  lane.send(limit(1, 5_000))
  await told
  assert.deepEqual(answers, [[1, 'UNREACHABLE']])
  assert.equal(errors.length, 1)
})

test('a closed lane says nothing more', async () => {
  const { pending, answers, lane, settle } = rig()
  lane.send(limit(1, 5_000))
  lane.send(limit(2, 6_000))
  lane.close()
  pending[0]!('ACCEPTED')
  await settle()
  assert.deepEqual(answers, [])
})
