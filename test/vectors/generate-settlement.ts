import { writeFileSync } from 'node:fs'
import { bytesToHex, type Hex, pad, toHex } from 'viem'
import { slotWord } from '../../protocol/descriptor.ts'
import { type LaneRules, NONE, type Slots } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { Outcome, type OutcomeName, outcomeName, outcomeNames } from '../../protocol/outcome.ts'
import { encodeRecord } from '../../protocol/record.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { periodOfInterval } from '../../protocol/time.ts'
import { laneRulesOf, randomLane, type Stretch } from '../support/generators/lane.ts'
import { Random } from '../support/generators/random.ts'
import { Aim, randomRecord } from '../support/generators/record.ts'

// Writes test/vectors/settlement.json: one record a row, with all that it meets and what it comes to, for
// contracts/test/parity/SettlementVectors.t.sol. Columns rather than rows, because forge reads a JSON array in one go.

const SEED = 20_260_101
const ROWS_PER_OUTCOME = 16
const STRETCH: Stretch = { from: 900 * 1_900_000, to: 900 * 1_900_300 }
const BATCHES = 100
const RECORDS_PER_BATCH = 200

export interface Row {
  readonly outcome: number
  readonly amountMicro: Hex
  readonly record: Hex
  readonly signatureValid: number
  readonly asOf: number
  /** Zero for a slot that is empty or out of range. */
  readonly evseWord: Hex
  readonly evseDescriptor: Hex
  readonly evseLeaf: Hex
  readonly contractWord: Hex
  readonly contractDescriptor: Hex
  readonly contractLeaf: Hex
  readonly laneLeaf: Hex
  /** Empty before the first version. */
  readonly tariff: Hex
  readonly priceNano: number
  readonly fundedMicro: Hex
  readonly evseLeafAfter: Hex
  readonly contractLeafAfter: Hex
  readonly laneLeafAfter: Hex
}

/** As many rows of every outcome, evenly spaced among all that came up, so that they come from every age of the lane. */
export function settlementRows(): Row[] {
  const random = new Random(SEED)
  const facts = randomLane(random, STRETCH, 24)
  const rules = laneRulesOf(facts)
  const state = new LaneState()
  const rows = new Map<OutcomeName, Row[]>(outcomeNames.map((name) => [name, []]))
  for (let batch = 1; batch <= BATCHES; batch++) {
    const asOf = STRETCH.from + Math.floor(((STRETCH.to - STRETCH.from) * batch) / BATCHES)
    const settlement = new Settlement(state, rules, asOf)
    const world = { facts, stretch: STRETCH, asOf, evseLeaf: (slot: number) => state.evse(slot) }
    for (let i = 0; i < RECORDS_PER_BATCH; i++) {
      const { aim, record } = randomRecord(random, world)
      const signatureValid = aim !== Aim.BAD_SIGNATURE
      const before = leavesOf(state, record)
      const outcome = settlement.settle(encodeRecord(record), 0, signatureValid)
      const after = leavesOf(state, record)
      const period = periodOfInterval(record.start)
      rows.get(outcomeName(outcome))!.push({
        outcome,
        amountMicro: word(outcome === Outcome.SETTLED ? BigInt(settlement.amountMicro) : 0n),
        record: bytesToHex(encodeRecord(record)),
        signatureValid: signatureValid ? 1 : 0,
        asOf,
        evseWord: wordOf(rules.evses, record.evse),
        evseDescriptor: descriptorOf(rules.evses, record.evse),
        contractWord: wordOf(rules.contracts, record.contract),
        contractDescriptor: descriptorOf(rules.contracts, record.contract),
        tariff: tariffOf(rules, period),
        priceNano: rules.priceNano(period),
        fundedMicro: word(rules.fundedMicro(asOf)),
        ...before,
        evseLeafAfter: after.evseLeaf,
        contractLeafAfter: after.contractLeaf,
        laneLeafAfter: after.laneLeaf,
      })
    }
  }
  return [...rows].flatMap(([name, all]) => {
    if (all.length < ROWS_PER_OUTCOME) throw new Error(`${name} came up ${all.length} times only: choose another seed`)
    return Array.from({ length: ROWS_PER_OUTCOME }, (_, i) => all[Math.floor((i * all.length) / ROWS_PER_OUTCOME)]!)
  })
}

/** The file's text. */
export function settlementJson(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0]!) as (keyof Row)[]
  const lines = columns.map((name) => {
    const values = rows.map((row) => JSON.stringify(row[name]))
    return `  ${JSON.stringify(name)}: [\n    ${values.join(',\n    ')}\n  ]`
  })
  return `{\n${lines.join(',\n')}\n}\n`
}

function leavesOf(
  state: LaneState,
  record: { evse: number; contract: number },
): { evseLeaf: Hex; contractLeaf: Hex; laneLeaf: Hex } {
  return {
    evseLeaf: bytesToHex(state.evses.leaf(record.evse)),
    contractLeaf: bytesToHex(state.contracts.leaf(record.contract)),
    laneLeaf: bytesToHex(state.laneLeafBytes()),
  }
}

function wordOf(slots: Slots, slot: number): Hex {
  if (slot >= slots.count) return word(0n)
  return slotWord(slots.descriptor(slot), slots.activeFrom[slot]!, slots.endsAt[slot]!)
}

function descriptorOf(slots: Slots, slot: number): Hex {
  return slot < slots.count ? bytesToHex(slots.descriptor(slot)) : '0x'
}

function tariffOf(rules: LaneRules, period: number): Hex {
  const version = rules.tariffVersion(period)
  return version === NONE ? '0x' : bytesToHex(rules.tariffs[version]!.bytes)
}

function word(value: bigint): Hex {
  return pad(toHex(value), { size: 32 })
}

if (import.meta.main) {
  const rows = settlementRows()
  writeFileSync(new URL('settlement.json', import.meta.url), settlementJson(rows))
  console.log(`${rows.length} rows`)
}
