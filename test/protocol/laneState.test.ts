import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeContractLeaf, LaneState, writeEvseLeaf } from '../../protocol/laneState.ts'
import { fc } from '../support/property.ts'
import { naivePair, naiveRoot } from './naiveTree.ts'

const u32 = fc.nat(0xffffffff)
const hex = (n: number | bigint, bytes: number): string => n.toString(16).padStart(bytes * 2, '0')
const word = (...fields: string[]): Uint8Array => Buffer.from(fields.join('').padEnd(64, '0'), 'hex')

test('EVSE leaves as drawn in §6', () => {
  const meter = fc.maxSafeNat().map((n) => n % 2 ** 40)
  fc.assert(
    fc.property(u32, u32, meter, fc.nat(0xfffffffe), u32, (lastEnd, sessionStart, lastMeterWh, count, lastContract) => {
      const state = new LaneState()
      state.evses.setLeaf(
        3,
        word(hex(lastEnd, 4), hex(sessionStart, 4), hex(lastMeterWh, 5), hex(count, 4), hex(lastContract, 4)),
      )
      assert.deepEqual(state.evse(3), { lastEnd, sessionStart, lastMeterWh, count, lastContract })
      const rewritten = Uint8Array.from(state.evses.leaf(3))
      const meterBytes = { meterHigh: Math.floor(lastMeterWh / 2 ** 32), meterLow: lastMeterWh % 2 ** 32 }
      writeEvseLeaf(rewritten, 0, { lastEnd, sessionStart, ...meterBytes, lastContract })
      state.evses.setLeaf(3, rewritten)
      assert.deepEqual(state.evse(3), { lastEnd, sessionStart, lastMeterWh, count: count + 1, lastContract })
    }),
  )
})

test('contract leaves as drawn in §6', () => {
  const credited = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n })
  fc.assert(
    fc.property(credited, fc.maxSafeNat(), u32, (creditedMicro, energyWh, count) => {
      const leaf = word(hex(creditedMicro, 16), hex(energyWh, 8), hex(count, 4))
      assert.deepEqual(decodeContractLeaf(leaf), { creditedMicro, energyWh, count })
    }),
  )
})

test('the lane leaf as drawn in §6, there and back', () => {
  const spent = fc.bigInt({ min: 0n, max: 2n ** 96n - 1n })
  const u48 = fc.maxSafeNat().map((n) => n % 2 ** 48)
  fc.assert(
    fc.property(spent, fc.maxSafeNat(), u48, u48, (spentMicro, energyWh, count, position) => {
      const leaf = word(hex(spentMicro, 12), hex(energyWh, 8), hex(count, 6), hex(position, 6))
      const state = new LaneState()
      state.setLaneLeafBytes(leaf)
      assert.deepEqual(state.lane(), { spentMicro, energyWh, count, position })
      assert.deepEqual(Buffer.from(state.laneLeafBytes()), leaf)
      const tree = naiveRoot(new Map())
      const root = naivePair(naivePair(tree, tree), naivePair(leaf, Buffer.alloc(32)))
      assert.deepEqual(Buffer.from(state.root()), root.subarray(0, 31))
    }),
    { numRuns: 20 },
  )
})

test('the trees stand in their own places', () => {
  const leaf = new Uint8Array(32).fill(5)
  const [inEvses, inContracts] = [new LaneState(), new LaneState()]
  inEvses.evses.setLeaf(0, leaf)
  inContracts.contracts.setLeaf(0, leaf)
  assert.notDeepEqual(inEvses.root(), inContracts.root())
})

test('rolled back, however often a leaf was written, all is as it was; kept, it stands', () => {
  const slot = fc.oneof(fc.nat(5), fc.nat(200))
  const writes = fc.array(fc.tuple(slot, slot, fc.nat(255)), { maxLength: 200 })
  const write = (state: LaneState, list: readonly (readonly [number, number, number])[]): void => {
    for (const [evse, contract, byte] of list) {
      state.willWrite(evse, contract)
      state.evses.leaves[32 * evse] = byte
      state.contracts.leaves[32 * contract + 31] = byte
      state.position++
      if (byte % 7 === 0) state.root()
    }
  }
  fc.assert(
    fc.property(writes, writes, fc.boolean(), (before, after, keep) => {
      const [state, expected] = [new LaneState(), new LaneState()]
      write(state, before)
      write(expected, before)
      state.beginUndo()
      write(state, after)
      if (keep) {
        state.keep()
        write(expected, after)
        assert.throws(() => state.rollBack())
      } else state.rollBack()
      assert.deepEqual(state.root(), expected.root())
      assert.deepEqual(state.lane(), expected.lane())
      // What an earlier undo remembered must not come back.
      state.beginUndo()
      state.rollBack()
      assert.deepEqual(state.root(), expected.root())
    }),
    { numRuns: 60 },
  )
})

test('roots noted are those that would have been asked for, and go with what is rolled back', () => {
  const slot = fc.oneof(fc.nat(5), fc.nat(200))
  const chunks = fc.array(fc.array(fc.tuple(slot, slot, fc.nat(255)), { maxLength: 30 }), { maxLength: 40 })
  fc.assert(
    fc.property(chunks, chunks, chunks, (before, undone, after) => {
      const [state, asked] = [new LaneState(), new LaneState()]
      const roots: Uint8Array[] = []
      const settle = (into: LaneState, chunk: readonly (readonly [number, number, number])[]): void => {
        for (const [evse, contract, byte] of chunk) {
          into.willWrite(evse, contract)
          into.evses.leaves[32 * evse] = byte
          into.contracts.leaves[32 * contract + 31] = byte
          into.position++
        }
      }
      const run = (list: typeof before): void => {
        for (const chunk of list) {
          for (const into of [state, asked]) settle(into, chunk)
          state.noteRoot()
          roots.push(asked.root())
        }
      }
      run(before)
      state.beginUndo()
      for (const chunk of undone) {
        settle(state, chunk)
        state.noteRoot()
      }
      state.rollBack()
      run(after)
      assert.deepEqual(state.takeRoots(), roots)
      assert.deepEqual(state.takeRoots(), [])
      assert.deepEqual(state.root(), asked.root())
    }),
    { numRuns: 40 },
  )
})
