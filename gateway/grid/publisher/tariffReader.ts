import type { Address } from 'viem'
import { registryAbi } from '../../../l1/abi/registry.ts'
import { tariffAbi } from '../../../l1/abi/tariff.ts'
import type { L1Client } from '../../../l1/client.ts'
import { l1Error } from '../../../l1/errors.ts'

const PRICES_A_WORD = 8
const PRICE_BITS = 32n
const PRICE_MASK = 0xffff_ffffn

/** Prices that L1 holds for periods `first` … `last`, by period; 0 where none was set. One call a word of eight periods. */
export async function readPrices(
  client: L1Client,
  tariff: Address,
  what: { zone: number; first: number; last: number },
): Promise<Map<number, number>> {
  const { zone, first, last } = what
  const words: number[] = []
  for (let word = Math.floor(first / PRICES_A_WORD); word * PRICES_A_WORD <= last; word++) words.push(word)
  try {
    // All of one block, or a transaction between two calls would show half of itself.
    const blockNumber = await client.getBlockNumber()
    const values = await Promise.all(
      words.map((word) =>
        client.readContract({
          address: tariff,
          abi: tariffAbi,
          functionName: 'priceWord',
          args: [zone, word * PRICES_A_WORD],
          blockNumber,
        }),
      ),
    )
    const prices = new Map<number, number>()
    words.forEach((word, i) => {
      for (let slot = 0; slot < PRICES_A_WORD; slot++) {
        const period = word * PRICES_A_WORD + slot
        if (period < first || period > last) continue
        prices.set(period, Number((values[i]! >> (BigInt(slot) * PRICE_BITS)) & PRICE_MASK))
      }
    })
    return prices
  } catch (cause) {
    throw l1Error(`reading prices of zone ${zone}`, cause)
  }
}

export async function readPublisher(client: L1Client, registry: Address, zone: number): Promise<Address> {
  try {
    const found = await client.readContract({ address: registry, abi: registryAbi, functionName: 'zone', args: [zone] })
    return found.publisher
  } catch (cause) {
    throw l1Error(`reading the publisher of zone ${zone}`, cause)
  }
}
