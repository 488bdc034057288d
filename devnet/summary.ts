import { styleText } from 'node:util'
import { dollars } from '../bridge/money.ts'
import type { PlainCredits } from './independent/independentSettlement.ts'
import type { L1Costs } from './l1Costs.ts'
import type { Payout } from './payout.ts'
import type { Scenario } from './scenario.ts'
import { grouped, type Screen } from './screen.ts'
import { type Tally, tallyTotalMicro } from './submitting.ts'

export interface RunFigures {
  readonly scenario: Scenario
  readonly tally: Tally
  readonly costs: L1Costs
  readonly payout: Omit<Payout, 'finalBatch'>
  readonly checked: { readonly batches: number; readonly chunks: number; readonly records: number }
  readonly independent: PlainCredits
  readonly fundedMicro: bigint
  readonly playMs: number
}

/** What came of it, and whether everything agrees. */
export function printSummary(screen: Screen, run: RunFigures, found: readonly string[]): void {
  const { tally, costs, payout, checked, independent } = run
  const paid = [...payout.paidMicro.values()].reduce((sum, micro) => sum + micro, 0n)
  const owners = [...payout.paidMicro.values()].filter((micro) => micro > 0n).length
  const perRecord = (value: number | bigint): string => (Number(value) / Math.max(1, tally.settled)).toFixed(1)
  const row = (name: string, value: string): void => screen.line(`  ${name.padEnd(22)}${value}`)
  const rate = (tally.byHttp + tally.byLibp2p) / (tally.submittingMs / 1000)

  screen.heading('Summary')
  row('cars, chargers', `${grouped(run.scenario.cars.length)} and ${grouped(run.scenario.evses.length)}`)
  row('records sent', `${grouped(tally.byHttp)} by HTTP, ${grouped(tally.byLibp2p)} by libp2p`)
  row('records settled', `${grouped(tally.settled)}, ${grouped(tally.energyWh)} Wh`)
  row('receipts checked', grouped(tally.receipts))
  for (const [name, count] of tally.refused) row('  did not settle', `${grouped(count)} ${name}`)
  row('submitting', `${grouped(Math.round(rate))} records/s while the fleet was sending, ${seconds(run.playMs)} in all`)
  row('batches', `${grouped(costs.batches)} in ${grouped(costs.chunks)} chunks`)
  row('L1 gas', `${grouped(costs.gasUsed)}, ${perRecord(costs.gasUsed)} a record`)
  if (costs.blobs > 0) row('L1 blobs', `${grouped(costs.blobs)}, ${perRecord(costs.blobBytes)} bytes a record`)
  row('L1 calldata', `${grouped(costs.calldataBytes)} bytes, ${perRecord(costs.calldataBytes)} a record`)
  row('checked by the prover', `${grouped(checked.chunks)} chunks, ${grouped(checked.records)} records`)
  row('withdrawals', `${grouped(payout.transactions)} transactions, ${grouped(payout.gasUsed)} gas`)
  screen.line()
  row('owed, independently', `$${dollars(independent.totalMicro).padStart(16)}`)
  row('credited', `$${dollars(tallyTotalMicro(tally)).padStart(16)}`)
  row('paid', `$${dollars(paid).padStart(16)}  to ${grouped(owners)} owners`)
  row('funded', `$${dollars(run.fundedMicro).padStart(16)}`)
  screen.line()
  if (found.length === 0) {
    screen.line(styleText('green', '  Everything agrees, owner by owner, to the last millionth.'))
    return
  }
  for (const difference of found.slice(0, 20)) screen.line(styleText('red', `  ${difference}`))
  if (found.length > 20) screen.line(styleText('red', `  … and ${found.length - 20} more differences`))
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
