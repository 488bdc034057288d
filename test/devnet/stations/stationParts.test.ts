import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChargingLimits, type ReceivedProfile } from '../../../devnet/stations/chargingLimits.ts'
import { MessageQueue } from '../../../devnet/stations/messageQueue.ts'
import { StationMeter } from '../../../devnet/stations/stationMeter.ts'
import { fc } from '../../support/property.ts'

test('a meter counts to the last digit however often it is looked at', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(11_000), fc.nat(600_000)), { maxLength: 50 }), fc.nat(1e9), (spans, start) => {
      const [often, once] = [new StationMeter(0, start), new StationMeter(0, start)]
      let [nowMs, wattMs] = [0, 0]
      for (const [watts, ms] of spans) {
        for (const meter of [often, once]) meter.setPower(nowMs, watts)
        often.setPower(nowMs + Math.floor(ms / 2), watts)
        nowMs += ms
        wattMs += watts * ms
      }
      for (const meter of [often, once]) {
        meter.setPower(nowMs, 0)
        assert.equal(meter.registerMilliWh(), start + Math.floor(wattMs / 3_600))
      }
    }),
  )
})

const profile = (id: number, period: object, more: Partial<ReceivedProfile> = {}): ReceivedProfile => ({
  id,
  stackLevel: 0,
  chargingProfilePurpose: 'TxProfile',
  transactionId: 'T',
  chargingSchedule: [{ chargingSchedulePeriod: [period] }],
  ...more,
})

test('the highest profile that holds decides', () => {
  const limits = new ChargingLimits()
  assert.equal(limits.watts(1, 'T', 0), undefined)
  limits.set(
    1,
    profile(1, { limit: 100 }, { chargingProfilePurpose: 'TxDefaultProfile', transactionId: '', stackLevel: 5 }),
  )
  assert.equal(limits.watts(1, 'T', 0), 100)
  limits.set(1, profile(2, { operationMode: 'Idle' }))
  limits.set(1, profile(3, { setpoint: -4_000 }, { stackLevel: 1, maxOfflineDuration: 60 }))
  assert.equal(limits.watts(1, 'T', 60_000), 4_000)
  assert.equal(limits.watts(1, 'T', 60_001), 0)
  assert.equal(limits.watts(1, 'other', 0), 100)
  assert.equal(limits.watts(2, 'T', 0), undefined)
  limits.ended('T')
  assert.equal(limits.watts(1, 'T', 0), 100)
  assert.equal(limits.clear(2), 0)
  assert.equal(limits.clear(0), 1)
})

test('a queue sends in order, each until it is answered, and repeats when told to', async () => {
  const sent: number[] = []
  const answered: unknown[] = []
  let refuse = 2
  let repeat = true
  const queue = new MessageQueue({
    retryMs: 1,
    repeats: () => {
      repeat = !repeat
      return !repeat
    },
    async send(_action, params) {
      const { n } = params as { n: number }
      sent.push(n)
      if (n === 1 && refuse-- > 0) throw new Error('not now')
      return n * 10
    },
  })
  const push = (n: number): void =>
    queue.push({ action: 'A', params: () => ({ n }), answered: (answer) => answered.push(answer) })
  push(0)
  push(1)
  assert.deepEqual(sent, [])
  queue.open()
  push(2)
  await queue.emptied()
  assert.deepEqual(sent, [0, 0, 1, 1, 1, 2, 2])
  assert.deepEqual(answered, [0, 10, 20])
  queue.close()
  push(3)
  assert.equal(queue.size, 1)
})
