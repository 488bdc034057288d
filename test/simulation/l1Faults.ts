import { type Hex, hexToBigInt, toHex } from 'viem'
import { Random } from '../support/generators/random.ts'
import { type Answer, forward, refuse, type Script } from '../support/hostileNode.ts'
import type { L1Fault } from './plan.ts'

const hangUp: Answer = { kind: 'hangUp' }
const busy: Answer = { kind: 'garbage', status: 503, body: '<html>busy</html>' }
const SLOW_MS = 400

/** What a node does while it misbehaves so. Each request draws: how many there are depends on the machine, what may happen does not. */
export function l1FaultScript(fault: L1Fault, seed: number): Script {
  const random = new Random(seed)
  switch (fault) {
    case 'hangsUp':
      return () => (random.chance(0.6) ? hangUp : forward)
    case 'busy':
      return () => (random.chance(0.8) ? (random.chance(0.5) ? busy : refuse('request timed out')) : forward)
    case 'slow':
      return () => ({ kind: 'held', until: wait(random.int(1, SLOW_MS)) })
    case 'losesAnswers':
      return () => (random.chance(0.4) ? { kind: 'after', change: () => hangUp } : forward)
    case 'wrongNonces':
      return ({ method, params }) => {
        if (method === 'eth_sendRawTransaction' && random.chance(0.5)) {
          return refuse(random.pick(['nonce too low', 'nonce too high', 'nonce too low: next nonce 99, tx nonce 0']))
        }
        // Behind by one, as a node of a balancer that has not seen the newest block.
        if (method === 'eth_getTransactionCount' && params[1] === 'latest' && random.chance(0.4)) return oneLess
        return forward
      }
    case 'refusesOffers':
      return ({ method }) =>
        method === 'eth_sendRawTransaction' && random.chance(0.8)
          ? refuse(
              random.pick([
                'replacement transaction underpriced',
                'already known',
                'txpool is full',
                'transaction underpriced',
              ]),
            )
          : forward
    case 'hidesReceipts':
      return ({ method }) =>
        method === 'eth_getTransactionReceipt' && random.chance(0.7) ? { kind: 'result', result: null } : forward
    case 'everything': {
      const others = (['hangsUp', 'losesAnswers', 'wrongNonces', 'refusesOffers', 'hidesReceipts'] as const).map(
        (one) => l1FaultScript(one, random.u32()),
      )
      return (request) => (random.chance(0.5) ? random.pick(others)(request) : forward)
    }
    default:
      throw new Error(`unknown fault ${fault satisfies never}`)
  }
}

const oneLess: Answer = {
  kind: 'after',
  change: (count) => {
    const less = hexToBigInt(count as Hex) - 1n
    return { kind: 'result', result: toHex(less < 0n ? 0n : less) }
  },
}

/** A blob base fee that is said to be so many times what it is. */
export function dearBlobs(times: number): Script {
  return ({ method }) =>
    method === 'eth_blobBaseFee'
      ? { kind: 'after', change: (fee) => ({ kind: 'result', result: toHex(BigInt(times) * hexToBigInt(fee as Hex)) }) }
      : forward
}

/** `eth_config` (EIP-7910) with another limit of blobs. */
export function withBlobLimit(blobs: number | undefined, script: Script): Script {
  if (blobs === undefined) return script
  const result = { current: { blobSchedule: { max: blobs, target: blobs, baseFeeUpdateFraction: 8_346_193 } } }
  return (request) => (request.method === 'eth_config' ? { kind: 'result', result } : script(request))
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
