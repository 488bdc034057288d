import type { Curve, CurvePoint, Panel, Series } from './curve.ts'
import { placeLabels, type Surroundings } from './labels.ts'
import { exact, fromZero, logarithmic, type Scale, short, through } from './scale.ts'

const WIDTH = 760
const LEFT = 64
const RIGHT = WIDTH - 36
const TOP = 46
const LARGE_HEIGHT = 250
const SMALL_HEIGHT = 104
const HEADING_HEIGHT = 46
const LEGEND_HEIGHT = 18
const AXIS_HEIGHT = 60
const CHARACTER = 6.3
/** Half of what a value's text is wide. */
const HALF_VALUE = 17

const COLOURS: Readonly<Record<Series['role'], string>> = { real: '#0b7285', also: '#d9480f', limit: '#868e96' }
const STYLE = `
  text { font: 12px system-ui, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif; fill: #495057 }
  .title { font-size: 18px; font-weight: 600; fill: #212529 }
  .heading { font-size: 13px; font-weight: 600; fill: #343a40 }
  .value { font-size: 11px; paint-order: stroke; stroke: #fff; stroke-width: 3px; stroke-linejoin: round }
  .grid { stroke: #e9ecef }
  .axis { stroke: #adb5bd }
  .line { fill: none; stroke-width: 2.2; stroke-linejoin: round }
  .one { stroke-width: 1.4 }
  .range { stroke-width: 1.2; opacity: .45 }
`

/** A curve as an SVG drawing: its panels one above the other over one x axis. White paper, so that it can be read on a dark page too. */
export function drawPlot(curve: Curve, points: readonly CurvePoint[], note: string): string {
  const x = through(curve.x.values, curve.x.isLog, { from: LEFT + 26, to: RIGHT - 26 })
  const parts: string[] = []
  let top = TOP
  for (const [i, panel] of curve.panels.entries()) {
    const from = top + HEADING_HEIGHT + (panel.series.length > 1 ? LEGEND_HEIGHT : 0)
    const box = { top: from, bottom: from + (i === 0 ? LARGE_HEIGHT : SMALL_HEIGHT) }
    parts.push(...drawPanel(panel, points, x, box))
    top = box.bottom
  }
  for (const value of x.ticks) parts.push(text(x.at(value), top + 22, exact(value), 'middle'))
  parts.push(text((LEFT + RIGHT) / 2, top + 44, curve.x.label, 'middle'))
  const height = top + AXIS_HEIGHT
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escaped(curve.title)}</title>
<style>${STYLE}</style>
<rect x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="8" fill="#fff" stroke="#dee2e6"/>
${text(LEFT - 40, 32, curve.title, 'start', 'title')}
${text(LEFT - 40, 52, note, 'start')}
${parts.join('\n')}
</svg>
`
}

interface Box {
  readonly top: number
  readonly bottom: number
}

function* drawPanel(panel: Panel, points: readonly CurvePoint[], x: Scale, box: Box): Iterable<string> {
  const y = scaleOf(panel, points, box)
  const hasLegend = panel.series.length > 1
  yield text(LEFT - 40, box.top - (hasLegend ? LEGEND_HEIGHT : 4) - 10, panel.title, 'start', 'heading')
  if (hasLegend) yield* legend(panel.series, box.top - 10)
  for (const value of y.ticks) {
    yield line('grid', LEFT, y.at(value), RIGHT, y.at(value))
    yield text(LEFT - 8, y.at(value) + 4, short(value), 'end')
  }
  for (const value of x.ticks) yield line('axis', x.at(value), box.bottom, x.at(value), box.bottom + 4)
  yield line('axis', LEFT, box.bottom, RIGHT, box.bottom)
  if (panel.limitIsOne)
    yield line('one', LEFT, y.at(1), RIGHT, y.at(1), `stroke="${COLOURS.limit}" stroke-dasharray="6 4"`)
  for (const series of panel.series) yield* drawSeries(series, points, x, y)
  const across = panel.limitIsOne ? [y.at(1)] : []
  yield* drawValues(panel.series, points, { x, y, around: { ...box, across } })
}

function scaleOf({ series, isLog, limitIsOne }: Panel, points: readonly CurvePoint[], { top, bottom }: Box): Scale {
  // The highest dot has its value above it.
  const span = { from: bottom, to: top + 12 }
  const spreads = series.flatMap(({ figure }) => points.map(({ figures }) => figures[figure]!))
  const medians = spreads.map(({ median }) => median)
  if (isLog) return logarithmic(medians, span)
  // One bad round shall not press all others flat.
  const most = Math.min(Math.max(...spreads.map(({ high }) => high)), Math.max(...medians) * 1.25)
  return fromZero(Math.max(most, limitIsOne ? 1 : 0) * 1.02, span, bottom - top > SMALL_HEIGHT ? 5 : 3)
}

function* drawSeries({ figure, role }: Series, points: readonly CurvePoint[], x: Scale, y: Scale): Iterable<string> {
  const stroke = `stroke="${COLOURS[role]}"`
  const places = points.map((point) => ({ x: x.at(point.x), ...point.figures[figure]! }))
  const path = places.map(({ x, median }) => `${round(x)},${round(y.at(median))}`).join(' ')
  const dashes = role === 'limit' ? ' stroke-dasharray="6 4"' : ''
  for (const { x, low, high } of places) yield line('range', x, y.at(low), x, y.at(high), stroke)
  yield `<polyline class="line" points="${path}" ${stroke}${dashes}/>`
  for (const { x, median } of places) yield dot(x, y.at(median), COLOURS[role])
}

function* drawValues(
  series: readonly Series[],
  points: readonly CurvePoint[],
  { x, y, around }: { x: Scale; y: Scale; around: Surroundings },
): Iterable<string> {
  for (const [i, point] of points.entries()) {
    const dots = series.map(({ figure }) => {
      const yOf = (of: CurvePoint): number => y.at(of.figures[figure]!.median)
      /** Half a text's width along the line to a neighbour; a line's end has none. */
      const towards = (next: CurvePoint = point): number =>
        yOf(point) +
        ((yOf(next) - yOf(point)) * HALF_VALUE) / Math.max(Math.abs(x.at(next.x) - x.at(point.x)), HALF_VALUE)
      return { y: yOf(point), left: towards(points[i - 1]), right: towards(points[i + 1]) }
    })
    const places = placeLabels(dots, around)
    for (const [k, { figure, role }] of series.entries()) {
      const value = short(point.figures[figure]!.median)
      yield text(x.at(point.x), places[k]! + 4, value, 'middle', 'value', COLOURS[role])
    }
  }
}

function* legend(series: readonly Series[], y: number): Iterable<string> {
  let x = LEFT - 40
  for (const { label, role } of series) {
    const dashes = role === 'limit' ? ' stroke-dasharray="6 4"' : ''
    yield `<line class="line" x1="${x}" y1="${y - 4}" x2="${x + 26}" y2="${y - 4}" stroke="${COLOURS[role]}"${dashes}/>`
    yield dot(x + 13, y - 4, COLOURS[role])
    yield text(x + 32, y, label, 'start')
    x += 32 + label.length * CHARACTER + 20
  }
}

function text(x: number, y: number, content: string, anchor: string, name?: string, fill?: string): string {
  const attributes = [name && ` class="${name}"`, fill && ` style="fill: ${fill}"`].filter(Boolean).join('')
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${attributes}>${escaped(content)}</text>`
}

const line = (name: string, x1: number, y1: number, x2: number, y2: number, more = ''): string =>
  `<line class="${name}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" ${more}/>`

const dot = (x: number, y: number, colour: string): string =>
  `<circle cx="${round(x)}" cy="${round(y)}" r="3.4" fill="${colour}" stroke="#fff" stroke-width="1.2"/>`

const round = (value: number): number => Math.round(value * 10) / 10

const escaped = (content: string): string => content.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`)
