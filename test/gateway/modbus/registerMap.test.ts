import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modbusConfigSchema, type RegisterConfig, REGISTER_TYPES, WORDS } from '../../../gateway/modbus/config.ts'
import { bitsOf, blocksOf, plausibleValue } from '../../../gateway/modbus/registerMap.ts'
import { parseConfig } from '../../../runtime/config.ts'
import { fc } from '../../support/property.ts'

function registersOf(registers: readonly object[]): readonly RegisterConfig[] {
  const config = parseConfig(modbusConfigSchema, { devices: [{ name: 'd', host: 'h', registers }] })
  return config.devices[0]!.registers
}

const one = (change: object): RegisterConfig =>
  registersOf([{ evse: 'a', quantity: 'power', address: 0, ...change }])[0]!

function read(register: RegisterConfig, bytes: readonly number[]): number | undefined {
  const [block] = blocksOf([register], 0)
  return plausibleValue(register, bitsOf(register, block!, Uint8Array.from(bytes)))
}

test('types, word orders, scale and offset', () => {
  assert.equal(read(one({ type: 'u16' }), [0xff, 0xfe]), 65_534)
  assert.equal(read(one({ type: 'i16' }), [0xff, 0xfe]), -2)
  assert.equal(read(one({ type: 'i16' }), [0x7f, 0xff]), 32_767)
  assert.equal(read(one({ type: 'u32', max: 1e10 }), [0xff, 0xff, 0xff, 0xfe]), 4_294_967_294)
  assert.equal(read(one({ type: 'i32' }), [0xff, 0xff, 0xff, 0xfe]), -2)
  assert.equal(read(one({ type: 'i32', wordOrder: 'little' }), [0xff, 0xfe, 0xff, 0xff]), -2)
  assert.equal(read(one({ type: 'u32', wordOrder: 'little' }), [0x00, 0x01, 0x00, 0x02]), 131_073)
  assert.equal(read(one({ type: 'f32' }), [0x42, 0x2a, 0x00, 0x00]), 42.5)
  assert.equal(read(one({ type: 'f32', wordOrder: 'little' }), [0x00, 0x00, 0x42, 0x2a]), 42.5)
  assert.equal(read(one({ type: 'i16', scale: -10, offset: 5 }), [0xff, 0xfe]), 25)
})

test('what cannot be true is not taken', () => {
  const temperature = (change: object = {}) => one({ quantity: 'temperature', type: 'i16', ...change })
  assert.equal(read(temperature(), [0, 150]), 150)
  assert.equal(read(temperature(), [0, 151]), undefined)
  assert.equal(read(temperature(), [0xff, 0xff]), undefined)
  assert.equal(read(temperature({ min: -30 }), [0xff, 0xff]), -1)
  assert.equal(read(temperature({ scale: 0.1 }), [0x80, 0x00]), undefined)
  const float = one({ quantity: 'frequency', type: 'f32' })
  assert.equal(read(float, [0x7f, 0xc0, 0, 0]), undefined)
  assert.equal(read(float, [0x7f, 0x80, 0, 0]), undefined)
  assert.equal(read(float, [0, 0, 0, 0]), undefined)
})

test('a block is one request of at most 125 registers that holds each wanted one whole', () => {
  const register = fc.record({
    function: fc.constantFrom(3, 4),
    address: fc.integer({ min: 0, max: 400 }),
    type: fc.constantFrom(...REGISTER_TYPES),
  })
  fc.assert(
    fc.property(
      fc.array(register, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 0, max: 20 }),
      (places, maxGap) => {
        const registers = registersOf(places.map((place) => ({ evse: 'a', quantity: 'temperature', ...place })))
        const blocks = blocksOf(registers, maxGap)
        assert.equal(blocks.flatMap((block) => block.registers).length, registers.length)
        for (const block of blocks) {
          assert.ok(block.count >= 1 && block.count <= 125)
          const wanted = new Set<number>()
          for (const { function: code, address, type } of block.registers) {
            assert.equal(code, block.function)
            assert.ok(address >= block.address && address + WORDS[type] <= block.address + block.count)
            for (let word = 0; word < WORDS[type]; word++) wanted.add(address + word)
          }
          assert.ok(wanted.has(block.address) && wanted.has(block.address + block.count - 1), 'reads nothing beyond')
          let gap = 0
          for (let address = block.address; address < block.address + block.count; address++) {
            gap = wanted.has(address) ? 0 : gap + 1
            assert.ok(gap <= maxGap)
          }
        }
      },
    ),
  )
})

test('neighbours share a request', () => {
  const registers = registersOf([
    { evse: 'a', quantity: 'power', address: 10, type: 'i32' },
    { evse: 'a', quantity: 'voltage', address: 12 },
    { evse: 'b', quantity: 'power', address: 14 },
    { evse: 'b', quantity: 'voltage', address: 12, function: 4 },
  ])
  const places = (maxGap: number) =>
    blocksOf(registers, maxGap).map((block) => [block.function, block.address, block.count])
  assert.deepEqual(places(0), [
    [3, 10, 3],
    [3, 14, 1],
    [4, 12, 1],
  ])
  assert.deepEqual(places(1), [
    [3, 10, 5],
    [4, 12, 1],
  ])
})

test('maps that make no sense are refused', () => {
  const refused = (register: object, message: RegExp): void => {
    const value = {
      devices: [{ name: 'd', host: 'h', registers: [{ evse: 'a', quantity: 'power', address: 0, ...register }] }],
    }
    assert.throws(
      () => parseConfig(modbusConfigSchema, value),
      { code: 'CONFIG_INVALID', message },
      JSON.stringify(register),
    )
  }
  refused({ type: 'u32', address: 65_535 }, /ends beyond 65535/)
  refused({ scale: 0 }, /scale must not be 0/)
  refused({ min: 5, max: 5 }, /min must be less/)
  refused({ function: 1 }, /function/)
  refused({ quantity: 'soc' }, /quantity/)
  refused({ adress: 5 }, /adress: unknown key/)
  const twice = [
    { evse: 'a', quantity: 'power', address: 0 },
    { evse: 'a', quantity: 'power', address: 1 },
  ]
  assert.throws(() => registersOf(twice), { code: 'CONFIG_INVALID', message: /one register for each quantity/ })
})
