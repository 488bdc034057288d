import { MAX_CAPACITY_WH } from '../protocol/limits.ts'
import { BackfeedError } from '../runtime/errors.ts'
import { MAX_CONTRACTS } from './limits.ts'
import type { EdgeStore } from './store/edgeStore.ts'
import { keyU32 } from './store/keys.ts'

const PREFIX = 'evse/contract/'

/** Batteries of the lane's contracts, as far as this EVSE was told of them: by its configuration, and by its firmware, which is kept. */
export class ContractBook {
  readonly #store: EdgeStore
  readonly #configured: ReadonlyMap<number, number>
  readonly #told = new Map<number, number>()

  constructor(store: EdgeStore, configured: readonly { readonly slot: number; readonly capacityWh: number }[]) {
    this.#store = store
    this.#configured = new Map(configured.map(({ slot, capacityWh }) => [slot, capacityWh]))
  }

  async load(): Promise<void> {
    for await (const [key, value] of this.#store.entries(PREFIX)) {
      this.#told.set(Number.parseInt(key.slice(PREFIX.length), 16), Number(new TextDecoder().decode(value)))
    }
  }

  /** The configuration's word counts more than the firmware's. */
  capacityWh(contract: number): number | undefined {
    return this.#configured.get(contract) ?? this.#told.get(contract)
  }

  /** @throws BackfeedError CONTRACTS_FULL, STORE_FAILED */
  async learn(contract: number, capacityWh: number): Promise<void> {
    if (this.#told.get(contract) === capacityWh) return
    if (capacityWh < 1 || capacityWh >= MAX_CAPACITY_WH) throw new RangeError(`a battery of ${capacityWh} Wh`)
    if (!this.#told.has(contract) && this.#told.size >= MAX_CONTRACTS) {
      throw new BackfeedError('CONTRACTS_FULL', `${MAX_CONTRACTS} contracts are known here already`)
    }
    await this.#store.write([{ key: PREFIX + keyU32(contract), value: new TextEncoder().encode(String(capacityWh)) }])
    this.#told.set(contract, capacityWh)
  }
}
