import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSecret, signatureHeaders } from '../../../runtime/webhooks/signature.ts'
import { documentedVerification, WEBHOOK_SECRET } from '../../support/webhookReceiver.ts'

// The example of the Standard Webhooks libraries' own tests.
const MESSAGE = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1_614_265_330, body: '{"test": 2432232314}' }
const SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='

test('a signature is that of the published example', () => {
  const headers = signatureHeaders([parseSecret(WEBHOOK_SECRET)!], MESSAGE)
  assert.deepEqual(headers, {
    'webhook-id': MESSAGE.id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': SIGNATURE,
  })
})

test('the documented receiver takes the example, from any of several secrets, and nothing that was changed', async () => {
  const verify = await documentedVerification()
  const headers = signatureHeaders([Buffer.alloc(32, 7), parseSecret(WEBHOOK_SECRET)!], MESSAGE)
  const { body, timestamp } = MESSAGE
  assert.deepEqual(verify(headers, body, WEBHOOK_SECRET, timestamp + 10), { test: 2432232314 })
  assert.throws(() => verify(headers, body.replace('4', '5'), WEBHOOK_SECRET, timestamp), /not signed/)
  assert.throws(() => verify({ ...headers, 'webhook-id': 'msg_other' }, body, WEBHOOK_SECRET, timestamp), /not signed/)
  assert.throws(() => verify(headers, body, `whsec_${Buffer.alloc(32, 8).toString('base64')}`, timestamp), /not signed/)
  assert.throws(() => verify(headers, body, WEBHOOK_SECRET, timestamp + 301), /too old/)
})

test('a secret has its prefix, its length, and nothing but base64', () => {
  assert.equal(parseSecret(WEBHOOK_SECRET)?.length, 24)
  for (const text of [
    WEBHOOK_SECRET.slice(6),
    'whsec_',
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
    `${WEBHOOK_SECRET} `,
    `whsec_${Buffer.alloc(32, 0xff).toString('base64url')}`,
    `whpk_${WEBHOOK_SECRET.slice(6)}`,
  ])
    assert.equal(parseSecret(text), undefined, text)
})
