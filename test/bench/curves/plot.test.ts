import assert from 'node:assert/strict'
import { test } from 'node:test'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import type { Curve, CurvePoint } from '../../../bench/curves/curve.ts'
import { drawPlot } from '../../../bench/curves/plot.ts'

const curve: Curve = {
  name: 'made-up',
  title: 'Less < more & "so on"',
  x: { label: 'EVSEs', isLog: true, values: [1_000, 10_000, 1_000_000] },
  panels: [
    {
      title: 'Records a second',
      series: [
        { figure: 'limit', label: 'the limit', role: 'limit' },
        { figure: 'real', label: 'the real thing', role: 'real' },
      ],
    },
    { title: 'Ratio', limitIsOne: true, series: [{ figure: 'ratio', label: 'ratio', role: 'also' }] },
  ],
  open: () => Promise.reject(new Error('a drawing opens nothing')),
}

const exactly = (median: number) => ({ median, low: median * 0.9, high: median * 1.1 })
const points: CurvePoint[] = curve.x.values.map((x, i) => ({
  x,
  figures: { limit: exactly(200_000), real: exactly(150_000 - 25_000 * i), ratio: exactly(0.75 - i / 8) },
}))

interface Svg {
  '@_viewBox': string
  text: { '#text': string | number; '@_x': string; '@_y': string; '@_class'?: string }[]
  polyline: { '@_points': string; '@_stroke-dasharray'?: string }[]
}

function drawn(of: readonly CurvePoint[] = points): Svg {
  const drawing = drawPlot(curve, of, 'a note')
  assert.equal(XMLValidator.validate(drawing), true)
  const parser = new XMLParser({ ignoreAttributes: false, isArray: (name) => name === 'text' || name === 'polyline' })
  return (parser.parse(drawing) as { svg: Svg }).svg
}

const placesOf = (line: Svg['polyline'][number]): number[][] =>
  line['@_points'].split(' ').map((place) => place.split(',').map(Number))

test('limit and real thing are lines over one x axis, the larger value above', () => {
  const [limit, real, ratio] = drawn().polyline.map(placesOf)
  assert.deepEqual(
    [limit, real, ratio].map((line) => line!.map(([x]) => x)),
    Array(3).fill(limit!.map(([x]) => x)),
  )
  for (const [i, [, y]] of limit!.entries()) assert.ok(y! < real![i]![1]!)
  assert.equal(new Set(limit!.map(([, y]) => y)).size, 1)
  assert.ok(real![0]![1]! < real![1]![1]! && real![1]![1]! < real![2]![1]!)
  assert.deepEqual(
    drawn().polyline.map((line) => line['@_stroke-dasharray'] !== undefined),
    [true, false, false],
  )
})

test('an x axis over decades gives each decade the same room', () => {
  const [x0, x1, x2] = placesOf(drawn().polyline[0]!).map(([x]) => x!)
  assert.ok(Math.abs((x2! - x1!) / (x1! - x0!) - 2) < 0.01)
})

test('title, axes, legend and every value are written inside the drawing', () => {
  const svg = drawn()
  const [, , width, height] = svg['@_viewBox'].split(' ').map(Number)
  for (const text of svg.text) {
    assert.ok(Number(text['@_x']) > 0 && Number(text['@_x']) < width!)
    assert.ok(Number(text['@_y']) > 0 && Number(text['@_y']) < height!)
  }
  const texts = svg.text.map((text) => String(text['#text']))
  for (const expected of [
    'a note',
    'Records a second',
    'Ratio',
    'the limit',
    'the real thing',
    'EVSEs',
    '1 k',
    '1 M',
  ]) {
    assert.ok(texts.includes(expected), expected)
  }
  assert.match(drawPlot(curve, points, ''), /Less &#60; more &#38; &#34;so on&#34;/)
  const values = svg.text.filter((text) => text['@_class'] === 'value').map((text) => String(text['#text']))
  assert.deepEqual(values, ['200 k', '150 k', '200 k', '125 k', '200 k', '100 k', '0.75', '0.63', '0.5'])
})

test('one round that went astray does not press the others flat', () => {
  const astray = points.map((point, i) =>
    i > 0 ? point : { ...point, figures: { ...point.figures, real: { median: 150_000, low: 1, high: 1e9 } } },
  )
  const span = (lines: number[][]): number => Math.abs(lines[0]![1]! - lines[2]![1]!)
  assert.ok(span(placesOf(drawn(astray).polyline[1]!)) > 0.8 * span(placesOf(drawn().polyline[1]!)))
})
