import assert from 'node:assert/strict'
import { createECDH, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { beforeEach, describe, test } from 'node:test'
import { HSM_FIRST_RETRY_MS, HSM_MAX_RETRY_MS } from '../../../../evse/signer/limits.ts'
import {
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_ID,
  CKO_PRIVATE_KEY,
  type Cryptoki,
  P256_OID,
  pointOf,
} from '../../../../evse/signer/pkcs11/cryptoki.ts'
import { Library } from '../../../../evse/signer/pkcs11/library.ts'
import { HsmError, type KeySpec, type OpenedKey } from '../../../../evse/signer/pkcs11/messages.ts'

// A token whose faults are chosen: what SoftHSM does of itself is tried in hsmSigner.test.ts.

const CKR = {
  DEVICE_REMOVED: 0x32,
  SESSION_HANDLE_INVALID: 0xb3,
  PIN_INCORRECT: 0xa0,
  TOKEN_NOT_PRESENT: 0xe0,
} as const

function fault(name: keyof typeof CKR): Error {
  return Object.assign(new Error(`CKR_${name}`), { code: CKR[name] })
}

class FaultyToken {
  key: KeyObject = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  pin = '2468'
  present = true
  logins = 0
  sessions = 0
  initialized = 0
  /** Thrown by the next signatures. */
  readonly signFaults: Error[] = []
  #valid = false

  pull(): void {
    this.present = false
    this.#valid = false
  }

  cryptoki(): Cryptoki {
    const handle = (n: number): Buffer => Buffer.from([n, 0, 0, 0, 0, 0, 0, 0])
    let classAsked = 0
    const point = (): Buffer => {
      const { x = '', y = '' } = this.key.export({ format: 'jwk' })
      return Buffer.concat([Buffer.from([4, 0x41, 4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
    }
    const check = (): void => {
      if (!this.present) throw fault('DEVICE_REMOVED')
      if (!this.#valid) throw fault('SESSION_HANDLE_INVALID')
    }
    const fake: Partial<Cryptoki> = {
      C_Initialize: () => {
        this.initialized++
      },
      C_Finalize: () => {
        this.#valid = false
      },
      C_GetSlotList: () => (this.present ? [handle(7)] : []),
      C_GetTokenInfo: () => ({ label: 'edge                            ' }) as ReturnType<Cryptoki['C_GetTokenInfo']>,
      C_OpenSession: () => {
        if (!this.present) throw fault('TOKEN_NOT_PRESENT')
        this.sessions++
        this.#valid = true
        return handle(1)
      },
      C_CloseSession: check,
      C_Login: (_session, _user, pin) => {
        this.logins++
        if (pin !== this.pin) throw fault('PIN_INCORRECT')
      },
      C_Logout: check,
      C_FindObjectsInit: (_session, template) => {
        check()
        classAsked = Number(template.find(({ type }) => type === CKA_CLASS)?.value)
      },
      C_FindObjects: (() => [handle(classAsked === CKO_PRIVATE_KEY ? 11 : 12)]) as unknown as Cryptoki['C_FindObjects'],
      C_FindObjectsFinal: () => {},
      C_GetAttributeValue: (_session, _object, [attribute]) => {
        check()
        const values = new Map([
          [CKA_EC_PARAMS, P256_OID],
          [CKA_EC_POINT, point()],
          [CKA_ID, Buffer.from('01', 'hex')],
        ])
        return [{ type: attribute!.type, value: values.get(attribute!.type) ?? Buffer.alloc(0) }]
      },
      C_SignInit: check,
      C_Sign: ((_session: Buffer, digest: Buffer) => {
        const next = this.signFaults.shift()
        if (next !== undefined) {
          this.#valid = false
          throw next
        }
        check()
        return sign(null, digest, { key: this.key, dsaEncoding: 'ieee-p1363' })
      }) as Cryptoki['C_Sign'],
    }
    return fake as Cryptoki
  }
}

describe('a PKCS#11 library whose tokens fail', () => {
  let token: FaultyToken
  let library: Library
  let nowMs: number
  let told: string[]
  const spec: KeySpec = { token: 'edge', slot: undefined, label: 'k', id: undefined, pin: '2468', certificate: false }
  const digest = new Uint8Array(32).fill(7)
  const open = (more: Partial<KeySpec> = {}, key = 0): OpenedKey =>
    library.call({ op: 'open', key, spec: { ...spec, ...more } }) as OpenedKey
  const signOnce = (): Uint8Array => library.call({ op: 'sign', key: 0, digest }) as Uint8Array
  const refusedAs = (code: string, retryable: boolean) => (error: unknown) =>
    error instanceof HsmError && error.failure.code === code && error.failure.retryable === retryable

  beforeEach(() => {
    token = new FaultyToken()
    nowMs = 0
    told = []
    library = new Library(token.cryptoki(), { monotonicMs: () => nowMs, tell: (event) => told.push(event) })
  })

  test('a session that ends under a signature is opened anew and the signature made, unnoticed by the caller', () => {
    open()
    for (const name of ['SESSION_HANDLE_INVALID', 'DEVICE_REMOVED'] as const) {
      token.signFaults.push(fault(name))
      assert.equal(signOnce().length, 64)
    }
    assert.equal(token.sessions, 3)
    assert.deepEqual(told, ['lost', 'recovered', 'lost', 'recovered'])
  })

  test('while the token is away calls fail at once and it is looked for with doubling pauses; then all is well', () => {
    open()
    token.pull()
    assert.throws(signOnce, refusedAs('HSM_UNAVAILABLE', true))
    const looks = (): number => token.initialized
    let pauseMs = HSM_FIRST_RETRY_MS
    for (let attempt = 0; attempt < 12; attempt++) {
      const before = looks()
      nowMs += pauseMs - 1
      for (let i = 0; i < 5; i++) assert.throws(signOnce, refusedAs('HSM_UNAVAILABLE', true))
      assert.equal(looks(), before, 'it was looked for too early')
      nowMs += 1
      assert.throws(signOnce, refusedAs('HSM_UNAVAILABLE', true))
      assert.equal(looks(), before + 1)
      pauseMs = Math.min(2 * pauseMs, HSM_MAX_RETRY_MS)
    }
    token.present = true
    nowMs += pauseMs
    assert.equal(signOnce().length, 64)
    assert.equal(told.at(-1), 'recovered')
    token.pull()
    assert.throws(signOnce, refusedAs('HSM_UNAVAILABLE', true))
    token.present = true
    nowMs += HSM_FIRST_RETRY_MS
    assert.equal(signOnce().length, 64, 'the pauses began again')
  })

  test('a refused PIN is tried once, however often it is asked; another PIN is another try', () => {
    for (let i = 0; i < 20; i++) {
      assert.throws(() => open({ pin: '0000' }), refusedAs('HSM_PIN_REFUSED', false))
      nowMs += HSM_MAX_RETRY_MS
    }
    assert.equal(token.logins, 1)
    open()
    assert.equal(token.logins, 2)
  })

  test('a PIN that is refused at a recovery stops the attempts', () => {
    open()
    token.pin = 'changed'
    token.signFaults.push(fault('SESSION_HANDLE_INVALID'))
    for (let i = 0; i < 5; i++) {
      assert.throws(signOnce, refusedAs('HSM_PIN_REFUSED', false))
      nowMs += HSM_MAX_RETRY_MS
    }
    assert.equal(token.logins, 2)
  })

  test('another key under the same name never signs', () => {
    open()
    const right = token.key
    token.key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    token.signFaults.push(fault('DEVICE_REMOVED'))
    assert.throws(signOnce, refusedAs('HSM_UNAVAILABLE', true))
    token.key = right
    assert.equal(signOnce().length, 64)
  })

  test('a key that was dropped does not sign', () => {
    open()
    library.call({ op: 'drop', key: 0 })
    assert.throws(signOnce, refusedAs('HSM_KEY_MISSING', false))
  })
})

test('points in and without their OCTET STRING', () => {
  const ecdh = createECDH('prime256v1')
  const point = ecdh.generateKeys()
  const bare = Uint8Array.from(point.subarray(1))
  assert.deepEqual(pointOf(point), bare)
  assert.deepEqual(pointOf(Buffer.concat([Buffer.from([4, 65]), point])), bare)
  for (const wrong of [
    new Uint8Array(0),
    point.subarray(1),
    Buffer.concat([Buffer.from([4, 64]), point]),
    Buffer.alloc(65),
  ]) {
    assert.equal(pointOf(wrong), undefined)
  }
})
