import { type Address, encodeFunctionData } from 'viem'
import { encodeTariff, type Tariff } from '../../protocol/tariff.ts'
import { tariffAbi } from '../abi/tariff.ts'
import { toHex } from '../bytes.ts'
import { type Caller, sendCall } from '../contractCall.ts'

/** The zone's operator sets the lane's tariff from `fromPeriod` on, at least 30 minutes ahead. */
export async function setTariff(
  caller: Caller,
  tariffContract: Address,
  what: { lane: number; fromPeriod: number; tariff: Tariff },
): Promise<void> {
  const args = [what.lane, what.fromPeriod, toHex(encodeTariff(what.tariff))] as const
  const data = encodeFunctionData({ abi: tariffAbi, functionName: 'setTariff', args })
  await sendCall(caller, { to: tariffContract, data, label: `set the tariff of lane ${what.lane}` })
}

/** The zone's publisher sets prices of consecutive periods, 10^-9 token per Wh, each until 30 minutes before its period. */
export async function setPrices(
  caller: Caller,
  tariffContract: Address,
  what: { zone: number; firstPeriod: number; nano: readonly number[] },
): Promise<void> {
  const args = [what.zone, what.firstPeriod, what.nano] as const
  const data = encodeFunctionData({ abi: tariffAbi, functionName: 'setPrices', args })
  await sendCall(caller, { to: tariffContract, data, label: `set prices of zone ${what.zone}` })
}
