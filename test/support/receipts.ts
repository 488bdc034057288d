import { ReceiptVerifier } from '../../client/receiptVerifier.ts'
import type { TestLane } from './laneFixture.ts'

/** What a charger of the lane checks receipts by; its clock is the chain's, as of now. */
export async function verifierOf(lane: TestLane): Promise<ReceiptVerifier> {
  const seconds = await lane.anvil.now()
  return new ReceiptVerifier({
    chainId: BigInt(lane.client.chain.id),
    rollup: lane.contracts.rollup,
    operatorOf: (of) => (of === lane.lane ? lane.operator.address : undefined),
    now: () => seconds,
  })
}
