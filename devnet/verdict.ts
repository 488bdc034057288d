import { dollars } from '../bridge/money.ts'
import type { PlainCredits } from './independent/independentSettlement.ts'

/** Everything that a run must agree on, to the last micro. */
export interface Books {
  /** By the calculation that shares no code with settlement. */
  readonly independent: PlainCredits
  /** By the sequencer's answers. */
  readonly creditedMicro: ReadonlyMap<number, bigint>
  /** By the owners' token balances. */
  readonly paidMicro: ReadonlyMap<number, bigint>
  readonly fundedMicro: bigint
  readonly escrowMicro: bigint
  readonly carCount: number
  readonly submitted: number
  readonly refused: number
  /** Positions that the lane's operator promised, checked by the chargers. */
  readonly receipts: number
  readonly chunksPosted: number
  readonly chunksChecked: number
}

/** What does not agree, in words; empty when all is well. */
export function differences(books: Books): string[] {
  const found: string[] = []
  const expect = (holds: boolean, otherwise: string): void => void (holds || found.push(otherwise))
  let paidTotal = 0n
  for (let car = 0; car < books.carCount; car++) {
    const owed = books.independent.creditedMicro.get(car) ?? 0n
    const credited = books.creditedMicro.get(car) ?? 0n
    const paid = books.paidMicro.get(car) ?? 0n
    paidTotal += paid
    expect(credited === owed, `car ${car} was credited ${dollars(credited)}, and is owed ${dollars(owed)}`)
    expect(paid === owed, `car ${car}'s owner was paid ${dollars(paid)}, and is owed ${dollars(owed)}`)
  }
  const { independent, fundedMicro } = books
  expect(
    paidTotal === independent.totalMicro,
    `${dollars(paidTotal)} was paid in all, not ${dollars(independent.totalMicro)}`,
  )
  expect(paidTotal <= fundedMicro, `${dollars(paidTotal)} was paid out of ${dollars(fundedMicro)}`)
  expect(
    books.escrowMicro === fundedMicro - paidTotal,
    `the vault holds ${dollars(books.escrowMicro)}, not ${dollars(fundedMicro - paidTotal)}`,
  )
  expect(
    books.submitted - books.refused === independent.settled,
    `${books.submitted - books.refused} records settled, not ${independent.settled}`,
  )
  expect(
    books.receipts >= books.submitted - books.refused,
    `${books.receipts} receipts for ${books.submitted - books.refused} settled records`,
  )
  expect(
    books.chunksChecked === books.chunksPosted,
    `the prover checked ${books.chunksChecked} chunks of ${books.chunksPosted}`,
  )
  return found
}
