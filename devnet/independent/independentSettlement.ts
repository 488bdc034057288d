// A second calculation of what everybody is owed, from docs/protocol.md §5 alone, so that a mistake in the settlement code cannot hide
// in the check of it: nothing of `protocol/` is used here but names of types, every number is a bigint, nothing is a byte.

export interface PlainRecord {
  readonly evse: number
  readonly contract: number
  readonly start: number
  readonly intervals: number
  readonly energyWh: number
  readonly tempC: number
}

export interface PlainTerms {
  /** 10^-9 token per Wh; absent or 0: no event. */
  readonly priceNano: (period: bigint) => bigint
  readonly incentiveBps: (contract: number) => bigint
  readonly powerW: readonly number[]
  readonly sessionIntervals: readonly number[]
  /** Row (power) by row, as many columns as there are session thresholds. */
  readonly tierBps: readonly number[]
  readonly thermalC: readonly number[]
  readonly thermalBps: readonly number[]
}

export interface PlainCredits {
  readonly creditedMicro: ReadonlyMap<number, bigint>
  readonly totalMicro: bigint
  readonly energyWh: bigint
  readonly settled: number
  /** Records that do nothing: no event, or too hot. */
  readonly worthless: number
}

/** §5 for records that honest chargers made, in the order of each charger's clock. Budget is the caller's to compare. */
export function independentCredits(records: readonly PlainRecord[], terms: PlainTerms): PlainCredits {
  const plugged = new Map<number, { contract: number; since: bigint; until: bigint }>()
  const creditedMicro = new Map<number, bigint>()
  let totalMicro = 0n
  let energyWh = 0n
  let settled = 0
  for (const record of records) {
    const from = BigInt(record.start)
    const to = from + BigInt(record.intervals)
    const energy = BigInt(record.energyWh)
    const price = terms.priceNano(from / 60n)
    const thermal = row(terms.thermalC, BigInt(record.tempC))
    const thermalBps = BigInt(terms.thermalBps[thermal]!)
    if (price === 0n || thermalBps === 0n || record.tempC > 150) continue
    const before = plugged.get(record.evse)
    if (before !== undefined && from < before.until) throw new Error(`charger ${record.evse} measures ${from} twice`)
    const goesOn = before !== undefined && before.until === from && before.contract === record.contract
    const since = goesOn ? before.since : from
    const averageW = (energy * 240n) / (to - from)
    const tier = row(terms.powerW, averageW) * terms.sessionIntervals.length + row(terms.sessionIntervals, to - since)
    const product = terms.incentiveBps(record.contract) * BigInt(terms.tierBps[tier]!) * thermalBps
    const uncapped = product / 100_000_000n
    const multiplier = uncapped > 65_535n ? 65_535n : uncapped
    const amount = (((energy * price) / 1_000n) * multiplier) / 10_000n
    plugged.set(record.evse, { contract: record.contract, since, until: to })
    creditedMicro.set(record.contract, (creditedMicro.get(record.contract) ?? 0n) + amount)
    totalMicro += amount
    energyWh += energy
    settled++
  }
  return { creditedMicro, totalMicro, energyWh, settled, worthless: records.length - settled }
}

/** Index of the last threshold that `value` reaches. */
function row(thresholds: readonly number[], value: bigint): number {
  let found = 0
  for (let i = 0; i < thresholds.length; i++) if (value >= BigInt(thresholds[i]!)) found = i
  return found
}
