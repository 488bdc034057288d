import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GOOD_CONNECTION_MS, RIVAL_SHOWN_MS, SHORT_CONNECTIONS } from '../../../evse/mqtt/limits.ts'
import { RivalWatch } from '../../../evse/mqtt/rivalWatch.ts'

const SESSION_TAKEN_OVER = 0x8e

function watch() {
  let nowMs = 0
  const rivals = new RivalWatch({ clientId: 'gateway-live', monotonicMs: () => nowMs })
  const pass = (ms: number): void => {
    nowMs += ms
  }
  const connection = (ms: number): void => {
    rivals.stood()
    pass(ms)
    rivals.cut()
  }
  return { rivals, pass, connection, code: () => rivals.problem?.code }
}

test('a session that somebody took over is told at once, and for a while', () => {
  const { rivals, pass, code } = watch()
  for (const other of [0x00, 0x81, 0x8b, 0x8d, 0x98, undefined]) rivals.disconnected(other)
  assert.equal(code(), undefined)
  rivals.disconnected(SESSION_TAKEN_OVER)
  assert.equal(code(), 'MQTT_CLIENT_ID_SHARED')
  assert.match(rivals.problem!.message, /gateway-live/)
  pass(RIVAL_SHOWN_MS - 1)
  assert.equal(code(), 'MQTT_CLIENT_ID_SHARED')
  pass(1)
  assert.equal(code(), undefined)
})

test('cut shortly after it stood, so many times in a row, and not once less', () => {
  const { connection, pass, code } = watch()
  for (let i = 1; i < SHORT_CONNECTIONS; i++) connection(GOOD_CONNECTION_MS - 1)
  assert.equal(code(), undefined)
  connection(GOOD_CONNECTION_MS) // one that lasted: counted anew
  for (let i = 1; i < SHORT_CONNECTIONS; i++) connection(10)
  assert.equal(code(), undefined)
  connection(GOOD_CONNECTION_MS - 1)
  assert.equal(code(), 'MQTT_CUT_SHORT')
  // The next one may stand for as long as the other one waits.
  connection(GOOD_CONNECTION_MS)
  assert.equal(code(), 'MQTT_CUT_SHORT')
  pass(RIVAL_SHOWN_MS)
  assert.equal(code(), undefined)
})

test('what is known outweighs what is guessed', () => {
  const { rivals, connection, code } = watch()
  rivals.disconnected(SESSION_TAKEN_OVER)
  for (let i = 0; i < SHORT_CONNECTIONS; i++) connection(10)
  assert.equal(code(), 'MQTT_CLIENT_ID_SHARED')
})
