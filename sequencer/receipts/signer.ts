import type { Address } from 'viem'
import { fromHex, toHex } from '../../l1/bytes.ts'
import type { L1Account } from '../../l1/client.ts'

export interface ReceiptSigner {
  readonly address: Address
  /** r ‖ s ‖ v, 65 bytes, over a 32-byte digest. */
  sign(digest: Uint8Array): Promise<Uint8Array>
}

/** On this thread: 0.4 ms, and a lane signs `SIGN_GAP_MS` apart at the most often. */
export async function accountSigner(account: L1Account): Promise<ReceiptSigner> {
  const sign = async (digest: Uint8Array): Promise<Uint8Array> => fromHex(await account.sign({ hash: toHex(digest) }))
  await sign(new Uint8Array(32).fill(1)) // the curve's tables are built by the first use: 20 ms that no record should wait for
  return { address: account.address, sign }
}
