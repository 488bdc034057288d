import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allEvses, DOWNLINKS, parseTopic, topicOf, UPLINKS } from '../../../evse/mqtt/topics.ts'
import { fc } from '../../support/property.ts'

const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/)
const lane = fc.integer({ min: 0, max: 0xffffffff })

test('a topic is read back as it was made', () => {
  fc.assert(
    fc.property(lane, name, fc.constantFrom(...UPLINKS, ...DOWNLINKS), (lane, evse, channel) => {
      assert.deepEqual(parseTopic(topicOf({ lane, evse }, channel)), { lane, evse, channel })
    }),
  )
})

test('anything else is no topic', () => {
  const others = [
    'backfeed/v1/1/a',
    'backfeed/v1/1/a/records/',
    'backfeed/v1/01/a/records',
    'backfeed/v1/4294967296/a/records',
    'backfeed/v1/-1/a/records',
    'backfeed/v2/1/a/records',
    'backfeed/v1/1//records',
    'backfeed/v1/1/+/records',
    'backfeed/v1/1/a b/records',
    'backfeed/v1/1/a/answers',
    'backfeed/v1/1/a/commands/answers/x',
    '/backfeed/v1/1/a/records',
    `backfeed/v1/1/${'a'.repeat(65)}/records`,
    allEvses('records'),
  ]
  for (const topic of others) assert.equal(parseTopic(topic), undefined, topic)
  fc.assert(
    fc.property(fc.string(), (text) => {
      const parsed = parseTopic(text)
      if (parsed !== undefined) assert.equal(topicOf(parsed, parsed.channel), text)
    }),
  )
})
