import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClockCheck } from '../../../evse/clock/clockCheck.ts'
import { clockGated } from '../../../evse/clock/clockGate.ts'
import { ClockLedger, type ClockRules, type Moment } from '../../../evse/clock/clockLedger.ts'
import { clockConfigSchema } from '../../../evse/clock/config.ts'
import { decodeNtpReply, encodeNtpAnswer, encodeNtpRequest } from '../../../evse/clock/ntpPacket.ts'
import { sntpSource } from '../../../evse/clock/sntpClient.ts'
import { agreeingReading, type TimeReading } from '../../../evse/clock/timeSource.ts'
import type { RecordSigner } from '../../../evse/signer/recordSigner.ts'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { fc } from '../../support/property.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { metrics, OWNER, unsignedRow } from '../support/edge.ts'
import { ntpServer } from '../support/ntpServer.ts'

const RULES: ClockRules = { limitMs: 50, driftPpm: 20, maxUncheckedMs: 86_400_000 }
const T = 1_900_000_000_000
const MINUTE = 60_000
const code = (name: string, retryable: boolean) => (error: unknown) =>
  isBackfeedError(error, name) && error.retryable === retryable

test('packets: what is encoded is read back, in this era and the next; what answers another question is not', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.integer({ min: 946_684_800_000, max: 4_000_000_000_000 }),
      fc.integer({ min: 0, max: 999 }),
      (nonce, ms, delay) => {
        const request = encodeNtpRequest(nonce)
        const said = { stratum: 3, rootDelayMs: delay, rootDispersionMs: 2, receivedMs: ms, sentMs: ms + 1 }
        const packet = encodeNtpAnswer(request, said)
        const reply = decodeNtpReply(packet, nonce, ms + 86_400_000)
        assert.ok(reply?.kind === 'ANSWER')
        assert.ok(Math.abs(reply.answer.receivedMs - ms) < 0.001)
        assert.ok(Math.abs(reply.answer.rootDelayMs - delay) < 0.02)
        const other = nonce.map((byte) => byte ^ 1)
        assert.equal(decodeNtpReply(packet, other, ms), undefined)
        assert.equal(decodeNtpReply(packet.subarray(0, 47), nonce, ms), undefined)
        const unsynchronised = packet.slice()
        unsynchronised[0]! |= 0xc0
        assert.equal(decodeNtpReply(unsynchronised, nonce, ms), undefined)
      },
    ),
  )
})

test('SNTP: the offset of a real exchange; a slow, silent, unsynchronised or lying server is told from a good one', async () => {
  // A clock that moves by looking at it: however long the machine takes, the way there and back is as long as its readings.
  const startMs = Date.now()
  let looks = 0
  const monotonicMs = (): number => looks++ * 0.25
  const now = (): number => startMs + monotonicMs()
  const settings = { samples: 2, timeoutMs: 60_000, maxRoundTripMs: 200, now, monotonicMs }
  const signal = new AbortController().signal
  await using good = await ntpServer(() => ({ receivedMs: now() + 120, sentMs: now() + 120 }), now)
  const { offsetMs, errorMs } = await sntpSource({ ...settings, servers: [good.address] })(signal)
  assert.ok(Math.abs(offsetMs - 120) <= errorMs + 1 && errorMs < 100, `${offsetMs} ± ${errorMs}`)

  await using silent = await ntpServer(() => undefined, now)
  await assert.rejects(
    sntpSource({ ...settings, timeoutMs: 100, servers: [silent.address] })(signal),
    code('TIME_SOURCE_UNREACHABLE', true),
  )
  await using vague = await ntpServer(() => ({ rootDispersionMs: 2_000 }), now)
  await assert.rejects(sntpSource({ ...settings, servers: [vague.address] })(signal), /may be off by/)

  await using one = await ntpServer(() => ({}), now)
  await using two = await ntpServer(() => ({}), now)
  const agreed = await sntpSource({ ...settings, servers: [one.address, good.address, two.address] })(signal)
  assert.ok(Math.abs(agreed.offsetMs) < 50)
  const pair = sntpSource({ ...settings, servers: [one.address, good.address] })
  await assert.rejects(pair(signal), code('TIME_SOURCES_DISAGREE', true))
})

test('a kiss of death is obeyed', async () => {
  const kiss = (request: Uint8Array): Uint8Array => {
    const packet = encodeNtpAnswer(request, {
      stratum: 0,
      rootDelayMs: 0,
      rootDispersionMs: 0,
      receivedMs: T,
      sentMs: T,
    })
    packet.set(new TextEncoder().encode('DENY'), 12)
    return packet
  }
  await using server = await ntpServer(kiss, Date.now)
  const source = sntpSource({
    servers: [server.address],
    samples: 4,
    timeoutMs: 60_000,
    maxRoundTripMs: 200,
    now: Date.now,
    monotonicMs: () => performance.now(),
  })
  const { signal } = new AbortController()
  await assert.rejects(source(signal), /kiss of death DENY/)
  await assert.rejects(source(signal), /stay away/)
  assert.equal(server.requests(), 1)
})

test('of several readings those count that most agree on', () => {
  const at = (offsetMs: number, errorMs: number): TimeReading => ({ offsetMs, errorMs })
  assert.deepEqual(agreeingReading([at(0, 10), at(5, 2), at(900, 1)]), at(5, 2))
  assert.equal(agreeingReading([at(0, 1), at(100, 1)]), undefined)
  assert.deepEqual(agreeingReading([at(0, 60), at(100, 60)]), at(0, 60))
  assert.deepEqual(agreeingReading([at(3, 1)]), at(3, 1))
})

test('more than 50 ms off is not trusted, and neither is what was measured since the last good reading', () => {
  const ledger = new ClockLedger(RULES, undefined, { wallMs: T, monotonicMs: 0 })
  const at = (minutes: number, offMs = 0): Moment => ({
    wallMs: T + minutes * MINUTE - offMs,
    monotonicMs: minutes * MINUTE,
  })
  assert.equal(ledger.judge([T, T], at(0)), 'LATER')
  ledger.take({ offsetMs: 50 }, at(0))
  assert.equal(ledger.judge([T - MINUTE, T], at(0)), 'YES')
  ledger.take({ offsetMs: 51 }, at(1))
  assert.match(ledger.doubt(at(1))!, /51 ms behind/)
  assert.equal(ledger.judge([T - 2 * MINUTE, T - MINUTE], at(1)), 'LATER')
  ledger.take({ offsetMs: -3 }, at(2))
  assert.equal(ledger.judge([T - 2 * MINUTE, T - MINUTE], at(2)), 'YES')
  assert.equal(ledger.judge([T, T + MINUTE], at(2)), 'NO')
  assert.equal(ledger.judge([T + MINUTE, T + 3 * MINUTE], at(3)), 'NO')
  assert.equal(ledger.judge([T + 2 * MINUTE, T + 3 * MINUTE], at(3)), 'YES')
  assert.equal(ledger.judge([T + 2 * MINUTE, T + 4 * MINUTE], at(3)), 'LATER', 'not over yet')
})

test('without a source trust ends when drift may have made 50 ms; if it did not, the stretch was good after all', () => {
  const ledger = new ClockLedger(RULES, undefined, { wallMs: T, monotonicMs: 0 })
  const at = (minutes: number): Moment => ({ wallMs: T + minutes * MINUTE, monotonicMs: minutes * MINUTE })
  ledger.take({ offsetMs: 0 }, at(0))
  assert.equal(ledger.isTrusted(at(41)), true)
  assert.equal(ledger.isTrusted(at(42)), false)
  assert.equal(ledger.judge([T + 45 * MINUTE, T + 60 * MINUTE], at(600)), 'LATER')
  ledger.take({ offsetMs: 12 }, at(600))
  assert.equal(ledger.judge([T + 45 * MINUTE, T + 60 * MINUTE], at(600)), 'YES')

  const strict = new ClockLedger({ ...RULES, driftPpm: 0, maxUncheckedMs: 10 * MINUTE }, undefined, at(0))
  strict.take({ offsetMs: 0 }, at(0))
  assert.equal(strict.isTrusted(at(10)), true)
  assert.equal(strict.isTrusted(at(11)), false)
})

test('a jump of the wall clock shows at once; jumping back does not heal it', () => {
  const ledger = new ClockLedger(RULES, undefined, { wallMs: T, monotonicMs: 0 })
  ledger.take({ offsetMs: 0 }, { wallMs: T, monotonicMs: 0 })
  assert.equal(ledger.observe({ wallMs: T + 1_049, monotonicMs: 1_000 }), false)
  assert.equal(ledger.observe({ wallMs: T + 2_051, monotonicMs: 2_000 }), true)
  assert.equal(ledger.isTrusted({ wallMs: T + 3_000, monotonicMs: 3_000 }), false)
  assert.match(ledger.doubt({ wallMs: T + 3_000, monotonicMs: 3_000 })!, /jumped/)
  ledger.take({ offsetMs: 0 }, { wallMs: T + 4_000, monotonicMs: 4_000 })
  assert.equal(ledger.judge([T, T + 3_000], { wallMs: T + 4_000, monotonicMs: 4_000 }), 'NO')
})

test('steps that are small one by one: a good reading after them does not heal what their sum spoiled', () => {
  const ledger = new ClockLedger(RULES, undefined, { wallMs: T, monotonicMs: 0 })
  ledger.observe({ wallMs: T + MINUTE + 47, monotonicMs: MINUTE })
  ledger.observe({ wallMs: T + 2 * MINUTE + 49, monotonicMs: 2 * MINUTE })
  const at = { wallMs: T + 3 * MINUTE + 4, monotonicMs: 3 * MINUTE }
  // By this reading it had been 52 ms ahead a minute ago.
  ledger.take({ offsetMs: -7 }, at)
  assert.equal(ledger.judge([T + MINUTE, T + 2 * MINUTE], at), 'NO')
  const healed = new ClockLedger(RULES, undefined, { wallMs: T, monotonicMs: 0 })
  healed.observe({ wallMs: T + 2 * MINUTE + 49, monotonicMs: 2 * MINUTE })
  healed.take({ offsetMs: -4 }, at)
  assert.equal(healed.judge([T + MINUTE, T + 2 * MINUTE], at), 'YES')
})

test('what a process measured that never had a reading is not trusted by the next', () => {
  const first = new ClockLedger(RULES, undefined, { wallMs: T, monotonicMs: 0 })
  first.observe({ wallMs: T + MINUTE, monotonicMs: MINUTE })
  const at = { wallMs: T + 2 * MINUTE, monotonicMs: 0 }
  const second = new ClockLedger(RULES, first.save(), at)
  second.take({ offsetMs: 0 }, at)
  assert.equal(second.judge([T, T + MINUTE], at), 'NO')
  const unused = new ClockLedger(RULES, undefined, { wallMs: T, monotonicMs: 0 })
  const third = new ClockLedger(RULES, unused.save(), at)
  third.take({ offsetMs: 0 }, at)
  assert.equal(third.judge([T, T + MINUTE], at), 'YES')
})

test('a clock that lost its battery: its times are not trusted afterwards, older ones are', () => {
  const saved = { lastGoodMs: T, openSinceMs: undefined, distrusted: [], floorMs: 0 }
  const ledger = new ClockLedger(RULES, saved, { wallMs: 1_000, monotonicMs: 0 })
  ledger.take({ offsetMs: T }, { wallMs: 2_000, monotonicMs: 1_000 })
  ledger.observe({ wallMs: 60_000, monotonicMs: 59_000 })
  const set = { wallMs: T + 61_000, monotonicMs: 60_000 }
  ledger.take({ offsetMs: 0 }, set)
  assert.equal(ledger.judge([10_000, 50_000], set), 'NO')
  assert.equal(ledger.judge([T, T + 60_000], set), 'NO')
  assert.equal(ledger.judge([T - 900_000, T], set), 'YES')
  assert.equal(new ClockLedger(RULES, ledger.save(), set).judge([10_000, 50_000], set), 'NO')
})

test('property: what is signed was within the limit, however clock, source and restarts behave', () => {
  const step = fc.record({
    minutes: fc.integer({ min: 1, max: 90 }),
    jumpMs: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: -500, max: 500 }) },
    ),
    ppm: fc.integer({ min: -20, max: 20 }),
    isRead: fc.boolean(),
    restart: fc.integer({ min: 0, max: 9 }),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
      // `trueMs` is the truth and our monotonic clock alike; the wall clock is `offMs` behind it.
      let [trueMs, offMs] = [0, 0]
      const at = (): Moment => ({ wallMs: T + trueMs - offMs, monotonicMs: trueMs })
      let ledger = new ClockLedger({ ...RULES, driftPpm: 40 }, undefined, at())
      const told: { wallMs: number; offMs: number }[] = []
      for (const { minutes, jumpMs, ppm, isRead, restart } of steps) {
        if (restart === 0) {
          ledger.observe(at())
          ledger = new ClockLedger({ ...RULES, driftPpm: 40 }, ledger.save(), at())
        }
        for (let i = 0; i < minutes; i++) {
          trueMs += MINUTE
          offMs += (MINUTE * ppm) / 1_000_000
          if (i === 0) offMs -= jumpMs
          ledger.observe(at())
          told.push({ wallMs: at().wallMs, offMs })
        }
        if (isRead) ledger.take({ offsetMs: offMs }, at())
        for (const { wallMs, offMs: off } of told) {
          const verdict = ledger.judge([wallMs, wallMs + 1], { ...at(), wallMs: Math.max(at().wallMs, wallMs + 1) })
          // The wall clock itself drifts against our monotonic clock, which stands for the truth.
          if (verdict === 'YES') assert.ok(Math.abs(off) <= 50.001, `signed ${off} ms off`)
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('the check polls its source, says what is wrong, remembers it over a restart, and gates the signer', async () => {
  await using folder = await temporaryFolder()
  await using store = await openEdgeStore(folder.path, OWNER)
  const span = unsignedRow(1, 1).row
  const [spanFrom, spanTo] = [60 * 2_111_001 * 15_000, 60 * 2_111_002 * 15_000]
  let [wallMs, offsetMs] = [spanTo + 1_000, 0]
  const open = () =>
    new ClockCheck({
      config: clockConfigSchema.parse({ pollSeconds: 1 }),
      source: async () => ({ offsetMs, errorMs: 1 }),
      store,
      now: () => wallMs,
      monotonicMs: () => 0,
      log: silentLogger(),
      metrics: metrics(),
    })
  const signer = { publicKey: new Uint8Array(64), expiresAtMs: undefined, sign: async () => new Uint8Array(64) }
  const message = new Uint8Array(64)
  message.set(span.subarray(0, 24), 32)

  const clock = open()
  const gated = clockGated(signer as unknown as RecordSigner, clock)
  await clock.start()
  assert.equal(clock.judge(spanFrom, spanTo), 'YES')
  assert.equal((await gated.sign(message)).length, 64)
  offsetMs = 80
  await clock.check()
  assert.equal(clock.problems()[0]?.code, 'CLOCK_UNTRUSTED')
  await assert.rejects(gated.sign(message), code('CLOCK_UNTRUSTED', true))
  await clock.stop()

  offsetMs = 0
  wallMs += 100_000
  const again = open()
  await again.start()
  assert.deepEqual(again.problems(), [])
  assert.equal(again.judge(spanFrom, spanTo), 'YES', 'measured before the last good reading')
  assert.equal(again.judge(spanTo + 900, spanTo + 50_000), 'NO')
  wallMs += 60
  assert.equal(again.isTrusted(), false, 'a jump shows when somebody asks')
  const regated = clockGated(signer as unknown as RecordSigner, { judge: () => 'NO', problems: () => [] })
  await assert.rejects(regated.sign(message), code('CLOCK_UNTRUSTED', false))
  await again.stop()
})
