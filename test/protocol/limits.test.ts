import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseEther } from 'viem'
import * as limits from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'

function solidityConstants(file: string): Map<string, bigint> {
  const source = readFileSync(new URL(`../../contracts/src/protocol/${file}`, import.meta.url), 'utf8')
  const constants = new Map<string, bigint>()
  for (const [, name, value] of source.matchAll(/uint256 internal constant (\w+)\s*=\s*([^;]+);/g)) {
    const [number, unit] = value!.trim().split(' ')
    assert.ok(unit === undefined || unit === 'ether', `${name} has a unit unknown here: ${unit}`)
    constants.set(name!, unit === 'ether' ? parseEther(number!) : BigInt(number!.replaceAll('_', '')))
  }
  // Every constant was read: none is written in a way that the pattern misses.
  assert.equal(constants.size, source.match(/\bconstant\b/g)?.length)
  return constants
}

const asMap = (values: Readonly<Record<string, number | bigint>>): Map<string, bigint> =>
  new Map(Object.entries(values).map(([name, value]) => [name, BigInt(value)]))

test('both languages have the same parameters', () => {
  assert.deepEqual(sorted(solidityConstants('Limits.sol')), sorted(asMap(limits)))
})

test('both languages number outcomes alike', () => {
  assert.deepEqual(sorted(solidityConstants('Outcome.sol')), sorted(asMap(Outcome)))
})

test('parameters that depend on each other', () => {
  assert.equal(limits.PERIOD_SECONDS, limits.PERIOD_INTERVALS * limits.INTERVAL_SECONDS)
  assert.equal(limits.MAX_SLOTS, 2 ** limits.TREE_DEPTH)
  assert.ok(limits.MAX_INTERVALS <= limits.PERIOD_INTERVALS)
  // A chunk's records fit the cell's 63 elements of 31 bytes, and one more would not.
  const body = (limits.CELL_ELEMENTS - 1) * 31
  const signed = limits.RECORD_BYTES + limits.P256_SIGNATURE_BYTES
  assert.equal(Math.floor(body / signed), limits.P256_CHUNK_RECORDS)
  assert.ok(192 + limits.BLS_CHUNK_RECORDS * limits.RECORD_BYTES <= body)
  assert.ok(limits.MIN_BOND_WEI >= 2n * limits.SLASH_WEI)
  assert.equal(limits.BOND_EXIT_SECONDS, limits.WINDOW_SECONDS + limits.PROMISE_SECONDS)
  // A receipt's batch is posted within hours; there is time left to prove it broken once that is final.
  assert.ok(limits.PROMISE_SECONDS >= limits.WINDOW_SECONDS + 86_400)
  assert.ok(limits.FORCED_DUE_SECONDS < limits.FORCED_OPEN_SECONDS)
  // A lane that posts a batch every 12 s stays inside the ring for longer than its window.
  assert.ok(limits.RING_SIZE * 12 > limits.WINDOW_SECONDS)
})

test('no product of valid values leaves the exact integers (§5, §15.1)', () => {
  const energy = BigInt(limits.MAX_ENERGY_WH - 1)
  const safe = BigInt(Number.MAX_SAFE_INTEGER)
  const tolerance = BigInt(10_000 + limits.MAX_SOC_TOLERANCE_BPS)
  const base = (energy * BigInt(limits.MAX_PRICE_NANO - 1)) / 1000n
  const products = {
    power: energy * 240n * 10_000n,
    rated: BigInt((limits.MAX_RATED_W - 1) * limits.POWER_TOLERANCE_BPS) * BigInt(limits.MAX_INTERVALS),
    chemistry: energy * 10n ** 8n,
    drop: BigInt(limits.MAX_SOC_DROP) * BigInt(limits.MAX_CAPACITY_WH - 1) * tolerance,
    price: energy * BigInt(limits.MAX_PRICE_NANO - 1),
    multiplier: 65_535n ** 3n,
    amount: base * BigInt(limits.MAX_MULTIPLIER_BPS),
  }
  for (const [name, product] of Object.entries(products)) assert.ok(product <= safe, `${name} reaches ${product}`)
  assert.ok(products.drop < 2n ** 49n && products.chemistry < 2n ** 49n)
  const largest = Object.values(products).reduce((a, b) => (a > b ? a : b))
  assert.ok(largest === products.amount && largest > 2n ** 52n)
})

function sorted(values: Map<string, bigint>): [string, bigint][] {
  return [...values].sort(([a], [b]) => a.localeCompare(b))
}
