import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from '../../../evse/mqtt/payloads.ts'
import { FaultReplies } from '../../../gateway/mqtt/faultReplies.ts'
import { mqttMetrics } from '../../../gateway/mqtt/metrics.ts'
import { MqttCommands } from '../../../gateway/mqtt/mqttCommands.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { directoryOf, LANE } from './site.ts'

const { signal } = new AbortController()

function open(options: { isReachable?: boolean; publish?: () => Promise<void>; timeoutMs?: number } = {}) {
  const { isReachable = true, publish = async () => {}, timeoutMs = 60_000 } = options
  const sent: { topic: string; command: Command; expirySeconds: number }[] = []
  const commands = new MqttCommands({
    directory: directoryOf(2),
    publish: async (topic, payload, expirySeconds) => {
      await publish()
      sent.push({ topic, command: JSON.parse(payload.toString()) as Command, expirySeconds })
    },
    isReachable: () => isReachable,
    timeoutMs,
    now: () => 5_000,
    metrics: mqttMetrics(createMetrics({ service: 'test', process: false })),
    log: silentLogger(),
  })
  return { commands, sent }
}

test('a command is sent with its deadline, and its answer comes from its own EVSE only', async () => {
  const { commands, sent } = open()
  const answer = commands.setLimit('evse-0', 700, signal)
  await Promise.resolve()
  assert.equal(sent[0]!.topic, `backfeed/v1/${LANE}/evse-0/commands`)
  const { id, ...rest } = sent[0]!.command
  assert.deepEqual(rest, { command: 'setLimit', watts: 700, deadlineMs: 65_000 })
  assert.equal(sent[0]!.expirySeconds, 60)
  commands.takeAnswer('evse-1', { id, answer: 'REJECTED' })
  commands.takeAnswer('evse-0', { id: `${id}0`, answer: 'REJECTED' })
  commands.takeAnswer('evse-0', { id, answer: 'ACCEPTED' })
  assert.equal(await answer, 'ACCEPTED')
})

test('unreachable: nobody of that name, no connection, no answer in time, the caller gave up, the link went down', async () => {
  const { commands, sent } = open()
  assert.equal(await commands.stop('nobody', 'X', signal), 'UNREACHABLE')
  assert.equal(await commands.stop('evse-0', 'X', AbortSignal.abort()), 'UNREACHABLE')
  assert.equal(await open({ isReachable: false }).commands.stop('evse-0', 'X', signal), 'UNREACHABLE')
  assert.equal(await open({ timeoutMs: 5 }).commands.stop('evse-0', 'X', signal), 'UNREACHABLE')
  assert.equal(
    await open({ publish: () => Promise.reject(new Error('full')) }).commands.stop('evse-0', 'X', signal),
    'UNREACHABLE',
  )
  const giveUp = new AbortController()
  const given = commands.stop('evse-0', 'X', giveUp.signal)
  giveUp.abort()
  assert.equal(await given, 'UNREACHABLE')
  const down = commands.stop('evse-0', 'X', signal)
  commands.abandon()
  assert.equal(await down, 'UNREACHABLE')
  assert.equal(sent.length, 2)
})

test('what no EVSE could read is not sent', async () => {
  const { commands, sent } = open()
  for (const watts of [-1, Number.NaN, 1e9]) assert.equal(await commands.setLimit('evse-0', watts, signal), 'REJECTED')
  assert.equal(sent.length, 0)
})

test('complaints are rationed for each EVSE', () => {
  const sent: string[] = []
  let nowMs = 0
  const replies = new FaultReplies({ publish: (topic) => sent.push(topic), monotonicMs: () => nowMs })
  const complain = (evse: string): void =>
    replies.reply({ lane: LANE, evse }, 'records', Buffer.alloc(1), { code: 'BAD_PAYLOAD', message: 'no' })
  for (let i = 0; i < 100; i++) complain('a')
  assert.equal(sent.length, 8)
  complain('b')
  assert.equal(sent.length, 9)
  nowMs += 2_500
  for (let i = 0; i < 100; i++) complain('a')
  assert.equal(sent.length, 11)
})
