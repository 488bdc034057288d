/** What one record came to, in the order of the checks of docs/protocol.md §5. contracts/src/protocol/Outcome.sol has the same numbers. */
export const Outcome = {
  SETTLED: 0,
  UNKNOWN_EVSE: 1,
  BAD_SIGNATURE: 2,
  MALFORMED: 3,
  OVERLAP: 4,
  METER_REGRESSION: 5,
  POWER_EXCEEDED: 6,
  UNKNOWN_CONTRACT: 7,
  SOC_INCONSISTENT: 8,
  NO_EVENT: 9,
  THERMAL_LIMIT: 10,
  BUDGET_EXHAUSTED: 11,
  /** The all-zero record: padding, counts for nothing. */
  EMPTY: 12,
} as const

export type OutcomeName = keyof typeof Outcome
export type Outcome = (typeof Outcome)[OutcomeName]

export const outcomeNames = Object.keys(Outcome) as readonly OutcomeName[]

export function outcomeName(outcome: Outcome): OutcomeName {
  return outcomeNames[outcome]!
}
