import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placeLabels } from '../../../bench/curves/labels.ts'

const BOX = { top: 0, bottom: 200, across: [] }
const flat = (y: number) => ({ y, left: y, right: y })

test('a value stands above its dot where nothing is in the way', () => {
  const [place] = placeLabels([flat(100)], BOX)
  assert.ok(place! < 100)
})

test('values of near dots stand on either side, whichever comes first', () => {
  for (const ys of [
    [100, 112],
    [112, 100],
  ]) {
    const places = placeLabels(ys.map(flat), BOX)
    assert.ok(places[ys.indexOf(100)]! < 100)
    assert.ok(places[ys.indexOf(112)]! > 112)
  }
})

test('a value avoids a line across and the panel’s floor', () => {
  assert.ok(placeLabels([flat(100)], { ...BOX, across: [87] })[0]! > 100)
  assert.ok(placeLabels([flat(196)], BOX)[0]! < 196)
})

test('a value avoids its own line where that is steep', () => {
  assert.ok(placeLabels([{ y: 100, left: 87, right: 90 }], BOX)[0]! > 100)
})
