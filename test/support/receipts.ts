import { ReceiptVerifier } from '../../client/receiptVerifier.ts'
import type { TestLane } from './laneFixture.ts'

/**
 * What a charger of the lane checks receipts by; its clock is the chain's, as of now. `goesOn`: it goes on from there by itself, beside a chain whose
 * blocks come by the second.
 */
export async function verifierOf(lane: TestLane, { goesOn = false } = {}): Promise<ReceiptVerifier> {
  const seconds = await lane.anvil.now()
  const since = performance.now()
  const elapsed = (): number => (goesOn ? Math.floor((performance.now() - since) / 1_000) : 0)
  return new ReceiptVerifier({
    chainId: BigInt(lane.client.chain.id),
    rollup: lane.contracts.rollup,
    operatorOf: (of) => (of === lane.lane ? lane.operator.address : undefined),
    now: () => seconds + elapsed(),
  })
}
