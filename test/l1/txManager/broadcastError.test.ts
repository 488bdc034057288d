import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BaseError, HttpRequestError } from 'viem'
import { classifyBroadcastError } from '../../../l1/txManager/broadcastError.ts'

const cases: [message: string, outcome: string][] = [
  ['transaction already imported', 'accepted'],
  ['already known', 'accepted'],
  ['nonce too low', 'nonceTooLow'],
  ['nonce too low: next nonce 5, tx nonce 4', 'nonceTooLow'],
  ['replacement transaction underpriced', 'underpriced'],
  ['transaction underpriced: gas tip cap 1, minimum needed 2', 'underpriced'],
  ['max fee per gas less than block base fee', 'underpriced'],
  ['Insufficient funds for gas * price + value', 'insufficientFunds'],
  ['txpool is full', 'busy'],
  ['address already reserved', 'busy'],
  ['nonce too high', 'busy'],
  ['header not found', 'busy'],
  ['missing trie node 0123 (path ) state 0x45 is not available', 'busy'],
  ['Internal error', 'busy'],
  ['intrinsic gas too low', 'refused'],
  ['intrinsic gas too high -- tx.gas_limit > env.cfg.tx_gas_limit_cap', 'refused'],
  ['invalid chain id for signer', 'refused'],
  ['exceeds block gas limit', 'refused'],
]
for (const [message, outcome] of cases) {
  test(`broadcast: ${message} → ${outcome}`, () => {
    assert.equal(classifyBroadcastError(new BaseError('RPC Request failed.', { details: message })), outcome)
  })
}

test('broadcast: no answer → unreachable, also when the words look like a refusal', () => {
  const error = new HttpRequestError({ url: 'http://127.0.0.1:1', details: 'nonce too low' })
  assert.equal(classifyBroadcastError(error), 'unreachable')
})
