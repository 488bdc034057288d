import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Caller } from '../../../l1/contractCall.ts'
import { registerEvses } from '../../../l1/operate/registration.ts'
import type { EvseDescriptor } from '../../../protocol/descriptor.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { blsEvseKey } from '../../support/generators/blsKey.ts'
import { Random } from '../../support/generators/random.ts'

const ADDRESS = '0x00000000000000000000000000000000000000aa'
const certificate = { deadline: 2n ** 40n, signature: '0x' } as const

/** Nothing may be sent. */
const silent = new Proxy({} as Caller, {
  get: () => assert.fail('L1 was asked'),
})

test('keys of a BLS lane whose possession is not proven are refused before deposits are approved', async () => {
  const random = new Random(4)
  const keys = [blsEvseKey(random), blsEvseKey(random)]
  const evses: EvseDescriptor[] = keys.map(({ publicKey }) => ({
    key: publicKey,
    ratedW: 11_000,
    lat: 0,
    lon: 0,
    radiusM: 10,
    depositMicro: 5n,
  }))
  const possessions = keys.map((key) => key.possession())
  const register = (given: readonly Uint8Array[]): Promise<number> =>
    registerEvses(silent, { registry: ADDRESS, token: ADDRESS }, { lane: 0, evses, certificate, possessions: given })
  for (const bad of [[], possessions.slice(1), [...possessions].reverse(), [possessions[0]!, new Uint8Array(192)]]) {
    await assert.rejects(register(bad), (error) => isBackfeedError(error, 'BAD_POSSESSION'))
  }
  await assert.rejects(register(possessions), /L1 was asked/)
})
