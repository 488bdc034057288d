import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calldataFloorGas, gasLimit, TX_GAS_CAP } from '../../l1/gas.ts'
import { isBackfeedError } from '../../runtime/errors.ts'

test('floor: 10 gas a zero byte, 40 any other, on top of the base (EIP-7623)', () => {
  assert.equal(calldataFloorGas(new Uint8Array(0)), 21_000n)
  assert.equal(calldataFloorGas(Uint8Array.of(0, 0, 1)), 21_060n)
  assert.equal(calldataFloorGas(Uint8Array.of(0, 1), { zeroByteGas: 64n, nonZeroByteGas: 64n }), 21_128n)
})

test('the limit lies between what is needed and the cap', () => {
  const none = new Uint8Array(0)
  assert.equal(gasLimit({ estimate: 100_000n, data: none, marginBps: 12_500n }), 169_200n)
  assert.equal(gasLimit({ estimate: 100_000n, data: none, marginBps: 10_000n }), 100_000n)
  assert.equal(gasLimit({ estimate: 5n, data: none, marginBps: 10_000n }), 21_000n)
  assert.equal(gasLimit({ estimate: 16_000_000n, data: none, marginBps: 12_500n }), TX_GAS_CAP)
  assert.throws(
    () => gasLimit({ estimate: TX_GAS_CAP + 1n, data: none, marginBps: 10_000n }),
    (error) => isBackfeedError(error, 'TX_GAS_OVER_CAP'),
  )
})
