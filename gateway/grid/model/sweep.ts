import type { Span } from './gridEvent.ts'

/**
 * Cuts time at every start and end of `items` and asks, of each piece, what the items that cover it come to; neighbours that come to the same
 * object or value stay apart. Empty spans are passed over. `choose` sees the items in their order in `items`.
 */
export function sweep<Item extends Span, Value>(
  items: readonly Item[],
  choose: (covering: readonly Item[]) => Value | undefined,
): (Span & { readonly value: Value })[] {
  const order = items
    .map((item, index) => ({ item, index }))
    .filter(({ item }) => item.end > item.start)
    .sort((a, b) => a.item.start - b.item.start)
  const cuts = [...new Set(order.flatMap(({ item }) => [item.start, item.end]))].sort((a, b) => a - b)
  const pieces: (Span & { value: Value })[] = []
  let active: { item: Item; index: number }[] = []
  let next = 0
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [start, end] = [cuts[i]!, cuts[i + 1]!]
    active = active.filter(({ item }) => item.end > start)
    while (next < order.length && order[next]!.item.start <= start) active.push(order[next++]!)
    if (active.length === 0) continue
    const covering = [...active].sort((a, b) => a.index - b.index).map(({ item }) => item)
    const value = choose(covering)
    if (value !== undefined) pieces.push({ start, end, value })
  }
  return pieces
}
