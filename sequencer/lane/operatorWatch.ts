import { type Address, isAddressEqual } from 'viem'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import type { L1Client } from '../../l1/client.ts'
import { l1Error } from '../../l1/errors.ts'
import type { Logger } from '../../runtime/log.ts'

export interface OperatorWatchSettings {
  readonly client: L1Client
  readonly rollup: Address
  readonly lane: number
  /** Of the key that this process signs with. */
  readonly ours: Address
  readonly log: Logger
  readonly onOurs: () => Promise<void>
  readonly onOther: (operator: Address) => void
}

/** Whether the lane is still ours to sign for: a receipt by anybody but the lane's operator on L1 is worth nothing to who gets it. */
export class OperatorWatch {
  readonly #settings: OperatorWatchSettings
  #operator: Address | undefined

  constructor(settings: OperatorWatchSettings) {
    this.#settings = settings
  }

  /** The operator on L1, once it was looked at. */
  get operator(): Address | undefined {
    return this.#operator
  }

  /** To be called after every new block. Acts on the first look and on changes. */
  async look(): Promise<void> {
    const { client, rollup, lane, ours, log, onOurs, onOther } = this.#settings
    const call = { address: rollup, abi: rollupAbi, functionName: 'lane', args: [lane] } as const
    const { operator } = await client.readContract(call).catch((cause: unknown) => {
      throw l1Error(`reading the operator of lane ${lane}`, cause)
    })
    if (operator === this.#operator) return
    if (isAddressEqual(operator, ours)) await onOurs()
    else {
      log.error(
        { lane, operator, ours },
        'this key is not the lane’s operator: nothing is taken in and no receipt signed',
      )
      onOther(operator)
    }
    this.#operator = operator
  }
}
