import { HSM_FIRST_RETRY_MS, HSM_MAX_RETRY_MS } from '../limits.ts'
import {
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_EXTRACTABLE,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_VALUE,
  CKA_VERIFY,
  CKF_RW_SESSION,
  CKF_SERIAL_SESSION,
  CKK_EC,
  CKM_EC_KEY_PAIR_GEN,
  CKM_ECDSA,
  CKO_CERTIFICATE,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
  CKR_USER_ALREADY_LOGGED_IN,
  CKU_USER,
  type Cryptoki,
  isPinRefusal,
  P256_OID,
  pointOf,
  resultCode,
} from './cryptoki.ts'
import { HsmError, type KeyName, type OpenedKey, type TokenName } from './messages.ts'

type Handle = Buffer

export interface TokenSessionDeps {
  readonly cryptoki: Cryptoki
  /** Makes the library look at its slots again; every session of it ends. Called when a token does not come back. */
  readonly reinitialize: () => void
  readonly monotonicMs: () => number
  readonly tell: (event: 'recovered' | 'lost', message: string) => void
}

/**
 * The one session with a token: found, logged in, and found again after a loss. A call that loses the session is made once more with a new
 * one; while no new one can be had, calls fail at once and the token is looked for with doubling pauses. A refused PIN is never tried twice:
 * tokens lock after a few.
 */
export class TokenSession {
  readonly #deps: TokenSessionDeps
  readonly #token: TokenName
  readonly #pin: string
  #session: Handle | undefined
  #everOpen = false
  #pinRefused: HsmError | undefined
  #failures = 0
  #nextTryMs = Number.NEGATIVE_INFINITY
  #lastFailure = ''
  /** Private keys by name. */
  readonly #handles = new Map<string, Handle>()

  constructor(token: TokenName, pin: string, deps: TokenSessionDeps) {
    this.#deps = deps
    this.#token = token
    this.#pin = pin
  }

  get isOpen(): boolean {
    return this.#session !== undefined
  }

  /** @throws HsmError HSM_KEY_MISSING, HSM_UNAVAILABLE, HSM_PIN_REFUSED */
  openKey(name: KeyName, certificate: boolean): OpenedKey {
    return this.#attempt((session) => {
      this.#handles.delete(nameOf(name))
      const found = this.#publicKey(session, this.#privateKey(session, name), name)
      return { publicKey: found, certificate: certificate ? this.#certificate(session, name) : undefined }
    })
  }

  /** Raw r ‖ s. @throws HsmError as openKey */
  sign(name: KeyName, expected: Uint8Array, digest: Uint8Array): Uint8Array {
    return this.#attempt((session) => {
      let key = this.#handles.get(nameOf(name))
      if (key === undefined) {
        key = this.#privateKey(session, name)
        // Another token under the same label must not sign for this EVSE.
        if (Buffer.compare(this.#publicKey(session, key, name), expected) !== 0) {
          throw new HsmError('HSM_KEY_MISSING', `${nameOf(name)} in ${this.#where()} is another key than before`)
        }
        this.#handles.set(nameOf(name), key)
      }
      this.#deps.cryptoki.C_SignInit(session, { mechanism: CKM_ECDSA }, key)
      const signature = this.#deps.cryptoki.C_Sign(session, Buffer.from(digest), Buffer.alloc(64))
      if (signature.length !== 64)
        throw new HsmError('HSM_UNAVAILABLE', `a signature of ${signature.length} bytes`, true)
      return Uint8Array.from(signature)
    })
  }

  /** @throws HsmError HSM_KEY_EXISTS and as openKey */
  generate(name: KeyName): OpenedKey {
    return this.#attempt((session) => {
      const { cryptoki } = this.#deps
      if (this.#find(session, template(CKO_PRIVATE_KEY, name)).length > 0) {
        throw new HsmError('HSM_KEY_EXISTS', `${this.#where()} already holds ${nameOf(name)}`)
      }
      const named = [
        ...(name.label === undefined ? [] : [{ type: CKA_LABEL, value: name.label }]),
        ...(name.id === undefined ? [] : [{ type: CKA_ID, value: Buffer.from(name.id, 'hex') }]),
      ]
      cryptoki.C_GenerateKeyPair(
        session,
        { mechanism: CKM_EC_KEY_PAIR_GEN },
        [
          { type: CKA_TOKEN, value: true },
          { type: CKA_VERIFY, value: true },
          { type: CKA_EC_PARAMS, value: P256_OID },
          ...named,
        ],
        [
          { type: CKA_TOKEN, value: true },
          { type: CKA_PRIVATE, value: true },
          { type: CKA_SENSITIVE, value: true },
          { type: CKA_EXTRACTABLE, value: false },
          { type: CKA_SIGN, value: true },
          ...named,
        ],
      )
      return { publicKey: this.#publicKey(session, this.#privateKey(session, name), name), certificate: undefined }
    })
  }

  /** The library was given back and taken again: the session is gone, whatever it says. */
  forget(): void {
    this.#session = undefined
    this.#handles.clear()
  }

  close(): void {
    const session = this.#session
    this.forget()
    if (session === undefined) return
    try {
      this.#deps.cryptoki.C_Logout(session)
      this.#deps.cryptoki.C_CloseSession(session)
    } catch {
      // It is going anyway.
    }
  }

  #attempt<T>(work: (session: Handle) => T): T {
    const before = this.#session
    const session = before ?? this.#open()
    try {
      return work(session)
    } catch (error) {
      if (error instanceof HsmError) throw error
      this.#dropSession()
      this.#deps.tell('lost', `${this.#where()}: ${messageOf(error)}`)
      // A fresh session that fails at once is no lost session.
      if (before === undefined) throw this.#failed(error)
    }
    const fresh = this.#open()
    try {
      return work(fresh)
    } catch (error) {
      if (error instanceof HsmError) throw error
      this.#dropSession()
      throw this.#failed(error)
    }
  }

  #open(): Handle {
    if (this.#pinRefused !== undefined) throw this.#pinRefused
    if (this.#deps.monotonicMs() < this.#nextTryMs) throw new HsmError('HSM_UNAVAILABLE', this.#lastFailure, true)
    try {
      this.#session = this.#logIn()
    } catch (error) {
      if (isPinRefusal(error)) {
        const text = `${this.#where()} refuses the PIN (${messageOf(error)}): correct it and start again`
        this.#pinRefused = new HsmError('HSM_PIN_REFUSED', text)
        throw this.#pinRefused
      }
      const failure = this.#failed(error)
      this.#deps.reinitialize()
      throw failure
    }
    this.#failures = 0
    if (this.#everOpen) this.#deps.tell('recovered', `${this.#where()} is there again`)
    this.#everOpen = true
    return this.#session
  }

  #failed(error: unknown): HsmError {
    const pauseMs = Math.min(HSM_FIRST_RETRY_MS * 2 ** this.#failures, HSM_MAX_RETRY_MS)
    this.#failures++
    this.#nextTryMs = this.#deps.monotonicMs() + pauseMs
    this.#lastFailure = `${this.#where()}: ${messageOf(error)}`
    return new HsmError('HSM_UNAVAILABLE', this.#lastFailure, true)
  }

  #logIn(): Handle {
    const { cryptoki } = this.#deps
    const session = cryptoki.C_OpenSession(this.#slot(), CKF_SERIAL_SESSION | CKF_RW_SESSION)
    try {
      cryptoki.C_Login(session, CKU_USER, this.#pin)
    } catch (error) {
      if (resultCode(error) !== CKR_USER_ALREADY_LOGGED_IN) {
        cryptoki.C_CloseSession(session)
        throw error
      }
    }
    return session
  }

  #slot(): Handle {
    const { cryptoki } = this.#deps
    const { token, slot } = this.#token
    const slots = cryptoki.C_GetSlotList(true)
    // CK_ULONG of this machine; a slot's number needs no more than its low 32 bits.
    const found = slots.filter((handle) =>
      token === undefined ? handle.readUInt32LE(0) === slot : cryptoki.C_GetTokenInfo(handle).label.trim() === token,
    )
    if (found.length === 0) throw new Error('no such token is present')
    if (found.length > 1) throw new Error(`${found.length} tokens have that label`)
    return found[0]!
  }

  #privateKey(session: Handle, name: KeyName): Handle {
    const found = this.#find(session, template(CKO_PRIVATE_KEY, name))
    if (found.length !== 1) {
      const many = found.length === 0 ? 'no private EC key' : `${found.length} private EC keys`
      throw new HsmError('HSM_KEY_MISSING', `${this.#where()} holds ${many} ${nameOf(name)}`)
    }
    const params = this.#attribute(session, found[0]!, CKA_EC_PARAMS)
    if (params !== undefined && !params.equals(P256_OID)) {
      throw new HsmError('HSM_KEY_MISSING', `${nameOf(name)} in ${this.#where()} is no P-256 key`)
    }
    return found[0]!
  }

  #publicKey(session: Handle, privateKey: Handle, name: KeyName): Uint8Array {
    const id = this.#attribute(session, privateKey, CKA_ID)?.toString('hex')
    const byId = id === undefined || id === '' ? name : { label: undefined, id }
    for (const handle of this.#find(session, template(CKO_PUBLIC_KEY, byId))) {
      const attribute = this.#attribute(session, handle, CKA_EC_POINT)
      const point = attribute === undefined ? undefined : pointOf(attribute)
      if (point !== undefined) return point
    }
    throw new HsmError('HSM_KEY_MISSING', `${this.#where()} holds no public key beside ${nameOf(name)}`)
  }

  #certificate(session: Handle, name: KeyName): Uint8Array {
    for (const handle of this.#find(session, template(CKO_CERTIFICATE, name))) {
      const value = this.#attribute(session, handle, CKA_VALUE)
      if (value !== undefined && value.length > 0) return Uint8Array.from(value)
    }
    throw new HsmError('HSM_KEY_MISSING', `${this.#where()} holds no certificate ${nameOf(name)}`)
  }

  #find(session: Handle, attributes: ReturnType<typeof template>): Handle[] {
    const { cryptoki } = this.#deps
    cryptoki.C_FindObjectsInit(session, attributes)
    try {
      return cryptoki.C_FindObjects(session, 16)
    } finally {
      cryptoki.C_FindObjectsFinal(session)
    }
  }

  /** Undefined where the token will not tell. */
  #attribute(session: Handle, object: Handle, type: number): Buffer | undefined {
    try {
      const value = this.#deps.cryptoki.C_GetAttributeValue(session, object, [{ type }])[0]?.value
      return Buffer.isBuffer(value) ? value : undefined
    } catch {
      return undefined
    }
  }

  #dropSession(): void {
    const session = this.#session
    this.forget()
    try {
      if (session !== undefined) this.#deps.cryptoki.C_CloseSession(session)
    } catch {
      // It is lost.
    }
  }

  #where(): string {
    return this.#token.token === undefined ? `slot ${this.#token.slot}` : `token “${this.#token.token}”`
  }
}

function template(kind: number, name: KeyName) {
  return [
    { type: CKA_CLASS, value: kind },
    ...(kind === CKO_CERTIFICATE ? [] : [{ type: CKA_KEY_TYPE, value: CKK_EC }]),
    ...(name.label === undefined ? [] : [{ type: CKA_LABEL, value: name.label }]),
    ...(name.id === undefined ? [] : [{ type: CKA_ID, value: Buffer.from(name.id, 'hex') }]),
  ]
}

function nameOf({ label, id }: KeyName): string {
  return [label === undefined ? [] : `“${label}”`, id === undefined ? [] : `with id ${id}`].flat().join(' ')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
