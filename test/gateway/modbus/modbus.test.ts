import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../../../devnet/freePort.ts'
import type { Telemetry } from '../../../evse/guard/telemetry.ts'
import { modbusConfigSchema } from '../../../gateway/modbus/config.ts'
import { openModbus } from '../../../gateway/modbus/modbus.ts'
import type { SourceProblem } from '../../../gateway/sourceStatus.ts'
import { parseConfig } from '../../../runtime/config.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { fc } from '../../support/property.ts'
import { replay } from '../../support/seed.ts'
import { ModbusDevice, Wire } from './device.ts'

const REGISTERS = [
  { evse: 'a', quantity: 'temperature', address: 0, type: 'i16', scale: 0.1 },
  { evse: 'a', quantity: 'power', address: 1, type: 'i32' },
  { evse: 'b', quantity: 'temperature', address: 0, function: 4 },
]

interface Taken {
  readonly evse: string
  readonly telemetry: Telemetry
}

/** A running source, and a way to wait for what it says. */
class Polling implements AsyncDisposable {
  readonly taken: Taken[] = []
  readonly noted: { evse: string; atMs: number; tempC: number }[] = []
  readonly metrics = createMetrics({ service: 'test', process: false })
  readonly source
  readonly #waiting = new Set<() => void>()

  constructor(port: number, change: Record<string, unknown> = {}) {
    const device = {
      name: 'plc',
      host: '127.0.0.1',
      port,
      pollMs: 20,
      timeoutMs: 150,
      reconnectMs: 10,
      maxReconnectMs: 50,
      registers: REGISTERS,
      ...change,
    }
    this.source = openModbus(parseConfig(modbusConfigSchema, { devices: [device] }), {
      isConfigured: (name) => ['a', 'b'].includes(name),
      onTelemetry: (evse, telemetry) => {
        this.taken.push({ evse, telemetry })
        for (const look of this.#waiting) look()
      },
      noteTemperature: (evse, atMs, tempC) => void this.noted.push({ evse, atMs, tempC }),
      now: () => 1_000_000_000 + performance.now(),
      monotonicMs: () => performance.now(),
      metrics: this.metrics,
      log: silentLogger(),
    })
    this.source.start?.({ signal: new AbortController().signal, fail: (error) => assert.fail(String(error)) })
  }

  /** The next telemetry from now on that fits. */
  next(fits: (taken: Taken) => boolean): Promise<Taken> {
    const from = this.taken.length
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nothing fits: ${JSON.stringify(this.source.status())}`)), 60_000)
      const look = (): void => {
        const found = this.taken.slice(from).find(fits)
        if (found === undefined) return
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
    })
  }

  async problem(code: string, evse = 'a'): Promise<SourceProblem> {
    const untilMs = performance.now() + 60_000
    while (performance.now() < untilMs) {
      const found = this.source.status().problems.find((one) => one.code === code && one.evse === evse)
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    throw new Error(`no ${code}: ${JSON.stringify(this.source.status())}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.stop?.()
  }
}

const of = (evse: string) => (taken: Taken) => taken.evse === evse

async function deviceAt(tempC = 31.5, powerW = -1_234): Promise<ModbusDevice> {
  const device = await ModbusDevice.listen(await freePort())
  device.holding.writeInt16BE(tempC * 10, 0)
  device.holding.writeInt32BE(powerW, 2)
  device.input.writeUInt16BE(40, 0)
  return device
}

test('registers become telemetry of their EVSEs, as old as the request, and temperatures are noted', async () => {
  await using device = await deviceAt()
  await using polling = new Polling(device.port)
  const beforeMs = performance.now()
  const [a, b] = await Promise.all([polling.next(of('a')), polling.next(of('b'))])
  assert.deepEqual({ ...a.telemetry, atMs: 0 }, { atMs: 0, tempC: 31.5, powerW: -1_234 })
  assert.deepEqual({ ...b.telemetry, atMs: 0 }, { atMs: 0, tempC: 40 })
  assert.ok(a.telemetry.atMs >= beforeMs && a.telemetry.atMs <= performance.now())
  const noted = polling.noted.find(({ evse }) => evse === 'a')
  assert.equal(noted?.tempC, 31.5)
  // Two clocks are read one after the other.
  assert.ok(Math.abs(noted!.atMs - 1_000_000_000 - a.telemetry.atMs) < 1_000)
  assert.equal(polling.source.status().state, 'UP')
  const text = await polling.metrics.text()
  assert.match(text, /backfeed_modbus_up\{[^}]*\} 1/)
  assert.match(text, /backfeed_modbus_reads_total\{[^}]*outcome="OK"[^}]*\} \d/)
})

test('an answer that is slow ages, and one that is too slow is given up', async () => {
  await using device = await deviceAt()
  await using wire = await Wire.to(device)
  await using polling = new Polling(wire.port)
  await polling.next(of('a'))
  wire.tamper = (answer, send) => void setTimeout(() => send(answer), 60)
  await polling.next(of('a'))
  const slow = await polling.next(of('a'))
  const ageMs = performance.now() - slow.telemetry.atMs
  assert.ok(ageMs >= 55, `only ${ageMs} ms old`)
  wire.tamper = (answer, send) => void setTimeout(() => send(answer), 400)
  await polling.problem('MODBUS_TIMEOUT')
  assert.equal(polling.source.status().state, 'DOWN')
  wire.tamper = undefined
  await polling.next(of('a'))
  assert.deepEqual(polling.source.status().problems, [])
})

test('an answer of another unit is none', async () => {
  await using device = await deviceAt()
  await using wire = await Wire.to(device)
  wire.tamper = (answer, send) => {
    answer[6] = 9
    send(answer)
  }
  await using polling = new Polling(wire.port)
  await polling.problem('MODBUS_TIMEOUT')
  assert.equal(polling.taken.length, 0)
})

test('an exception costs its own registers and nothing else', async () => {
  await using device = await deviceAt()
  await using wire = await Wire.to(device)
  wire.tamper = (answer, send) => {
    // Answers of function 3 become exception 2 (illegal data address).
    if (answer[7] !== 3) send(answer)
    else send(Buffer.from([answer[0]!, answer[1]!, 0, 0, 0, 3, answer[6]!, 0x83, 2]))
  }
  await using polling = new Polling(wire.port)
  await polling.next(of('b'))
  const problem = await polling.problem('MODBUS_EXCEPTION')
  assert.match(problem.message, /ILLEGAL DATA ADDRESS/)
  const { connections } = device
  await polling.next(of('b'))
  assert.equal(device.connections, connections)
  assert.ok(polling.taken.every(({ evse }) => evse === 'b'))
  assert.equal(polling.source.status().state, 'DEGRADED')
  wire.tamper = undefined
  await polling.next(of('a'))
  assert.deepEqual(polling.source.status().problems, [])
})

test('answers of another length, to another question, or without end are no answers', async () => {
  await using device = await deviceAt()
  await using wire = await Wire.to(device)
  await using polling = new Polling(wire.port)
  const spoils: Record<string, (answer: Buffer, send: (bytes: Uint8Array) => void) => void> = {
    'one register too few': (answer, send) => {
      const short = Buffer.concat([answer.subarray(0, answer.length - 2)])
      short.writeUInt16BE(short.length - 6, 4)
      short[8]! -= 2
      send(short)
    },
    'a byte more than it says': (answer, send) => {
      const long = Buffer.concat([answer, Buffer.alloc(1)])
      long.writeUInt16BE(long.length - 6, 4)
      send(long)
    },
    'another transaction': (answer, send) => {
      answer[1]! ^= 1
      send(answer)
    },
    'another protocol': (answer, send) => {
      answer[3] = 7
      send(answer)
    },
    'no end': (_, send) => send(Buffer.alloc(5_000, 0xff)),
  }
  for (const [name, spoil] of Object.entries(spoils)) {
    await polling.next(of('a'))
    const count = polling.taken.length
    wire.tamper = (answer, send) => spoil(answer, send)
    await polling.problem('MODBUS_PROTOCOL')
    assert.ok(polling.taken.length - count <= 2, name)
    wire.tamper = undefined
  }
})

test('a device that is cut, or restarted at the same port, is found again', async () => {
  const device = await deviceAt()
  const { port } = device
  await using polling = new Polling(port)
  await polling.next(of('a'))
  device.cut()
  await polling.next(of('a'))
  await device[Symbol.asyncDispose]()
  await polling.problem('MODBUS_UNREACHABLE')
  await using again = await ModbusDevice.listen(port)
  again.holding.writeInt16BE(250, 0)
  const back = await polling.next(of('a'))
  assert.equal(back.telemetry.tempC, 25)
  assert.equal(polling.source.status().state, 'UP')
})

test('a temperature out of range is dropped and told, the power of the same answer is taken', async () => {
  await using device = await deviceAt(151)
  await using polling = new Polling(device.port)
  const { telemetry } = await polling.next(of('a'))
  assert.deepEqual({ ...telemetry, atMs: 0 }, { atMs: 0, powerW: -1_234 })
  await polling.problem('MODBUS_IMPLAUSIBLE')
  assert.ok(polling.noted.every(({ evse }) => evse === 'b'))
  device.holding.writeInt16BE(300, 0)
  await polling.next(({ telemetry: { tempC } }) => tempC === 30)
  assert.deepEqual(polling.source.status().problems, [])
})

test('of several temperatures the hottest counts, and none if one is not believed', async () => {
  await using device = await deviceAt()
  device.holding.writeUInt16BE(60, 20)
  const registers = [
    { evse: 'a', quantity: 'temperature', address: 0, type: 'i16', scale: 0.1 },
    { evse: 'a', quantity: 'temperature', address: 10 },
    { evse: 'a', quantity: 'power', address: 1, type: 'i32' },
  ]
  await using polling = new Polling(device.port, { registers })
  assert.equal((await polling.next(of('a'))).telemetry.tempC, 60)
  device.holding.writeUInt16BE(999, 20)
  assert.equal((await polling.next(({ telemetry }) => telemetry.tempC !== 60)).telemetry.tempC, undefined)
})

test('a value that is stuck is not believed, a zero may stay, and without a heartbeat nothing is', async () => {
  await using device = await deviceAt()
  const registers = [
    { evse: 'a', quantity: 'power', address: 1, type: 'i32', stuckMs: 100 },
    { evse: 'a', quantity: 'voltage', address: 3 },
    { evse: 'b', quantity: 'power', address: 5, stuckMs: 50 },
    { evse: 'b', quantity: 'heartbeat', address: 6, stuckMs: 300 },
  ]
  await using polling = new Polling(device.port, { registers })
  const [first] = await Promise.all([polling.next(of('a')), polling.next(of('b'))])
  assert.equal(first.telemetry.powerW, -1_234)
  const stuck = await polling.next(({ evse, telemetry }) => evse === 'a' && telemetry.powerW === undefined)
  assert.equal(stuck.telemetry.gridVoltageV, 0)
  await polling.problem('MODBUS_STUCK')
  await polling.problem('MODBUS_STUCK', 'b')
  const before = polling.taken.filter(of('b')).length
  assert.ok(polling.taken.filter(of('b')).every(({ telemetry }) => telemetry.powerW === 0))
  await polling.next(of('a'))
  assert.equal(polling.taken.filter(of('b')).length, before)
  device.holding.writeInt32BE(-1_200, 2)
  device.holding.writeUInt16BE(1, 12)
  await Promise.all([polling.next(({ telemetry }) => telemetry.powerW === -1_200), polling.next(of('b'))])
})

test('it stops while a connection hangs', async () => {
  await using device = await deviceAt()
  await using wire = await Wire.to(device)
  wire.tamper = () => {}
  const polling = new Polling(wire.port, { timeoutMs: 60_000 })
  while (device.connections === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const beforeMs = performance.now()
  await polling[Symbol.asyncDispose]()
  assert.ok(performance.now() - beforeMs < 30_000, 'it does not wait for the answer')
})

test('an EVSE that nobody knows is refused with the name of its key', () => {
  const registers = [{ evse: 'z', quantity: 'power', address: 0 }]
  assert.throws(() => new Polling(1, { registers }), {
    code: 'CONFIG_INVALID',
    message: /devices\.0\.registers\.0\.evse/,
  })
})

test('hundreds of fuzzed answers: nothing but what was sent is ever believed, and it lives', async (context) => {
  const FRAMES = 300
  await using device = await deviceAt()
  await using wire = await Wire.to(device)
  await using polling = new Polling(wire.port, { pollMs: 20, timeoutMs: 30, reconnectMs: 10, maxReconnectMs: 10 })
  await polling.next(of('a'))
  const mutation = fc.oneof(
    fc.record({ kind: fc.constant('FLIP' as const), at: fc.nat(16), bit: fc.nat(7) }),
    fc.record({ kind: fc.constant('CUT' as const), at: fc.nat(16) }),
    fc.record({ kind: fc.constant('JUNK' as const), bytes: fc.uint8Array({ maxLength: 300 }) }),
    fc.record({ kind: fc.constant('TWICE' as const) }),
    fc.record({ kind: fc.constant('CLOSE' as const) }),
    fc.record({ kind: fc.constant('BEFORE' as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
  )
  context.diagnostic(replay('test/gateway/modbus/modbus.test.ts'))
  const mutations = fc.sample(mutation, { numRuns: FRAMES })
  const counts: Record<string, number> = {}
  let spoiledValues = 0
  const done = Promise.withResolvers<void>()
  wire.tamper = (answer, send, socket) => {
    const next = mutations.pop()
    if (next === undefined) {
      done.resolve()
      return send(answer)
    }
    counts[next.kind] = (counts[next.kind] ?? 0) + 1
    switch (next.kind) {
      case 'FLIP': {
        const at = next.at % answer.length
        // A flipped bit of a value cannot be told from a value: Modbus TCP has no checksum of its own.
        if (at >= 9) spoiledValues++
        answer[at]! ^= 1 << next.bit
        return send(answer)
      }
      case 'CUT':
        return send(answer.subarray(0, next.at % answer.length))
      case 'JUNK':
        return send(next.bytes)
      case 'TWICE':
        return send(Buffer.concat([answer, answer]))
      case 'CLOSE':
        return void socket.destroy()
      case 'BEFORE':
        return send(Buffer.concat([next.bytes, answer]))
      default:
        return next satisfies never
    }
  }
  await done.promise
  wire.tamper = undefined
  await polling.next(of('a'))
  const wrong = polling.taken.filter(
    ({ evse, telemetry: { tempC, powerW } }) =>
      (evse === 'a' && ((tempC !== undefined && tempC !== 31.5) || (powerW !== undefined && powerW !== -1_234))) ||
      (evse === 'b' && tempC !== undefined && tempC !== 40),
  )
  assert.ok(wrong.length <= spoiledValues, `${wrong.length} wrong values of ${spoiledValues} that were spoiled`)
  context.diagnostic(`frames: ${JSON.stringify(counts)}; taken ${polling.taken.length}`)
  assert.equal(
    Object.values(counts).reduce((sum, count) => sum + count, 0),
    FRAMES,
  )
})
