import { CKF_OS_LOCKING_OK, CKR_CRYPTOKI_ALREADY_INITIALIZED, type Cryptoki, resultCode } from './cryptoki.ts'
import { HsmError, type HsmCall, type KeySpec, type OpenedKey } from './messages.ts'
import { TokenSession, type TokenSessionDeps } from './tokenSession.ts'

interface KnownKey {
  readonly spec: KeySpec
  /** Once it was opened. */
  publicKey: Uint8Array | undefined
}

/** One PKCS#11 library with the sessions of its tokens: synchronous, for a thread of its own. */
export class Library {
  readonly #cryptoki: Cryptoki
  readonly #deps: Omit<TokenSessionDeps, 'cryptoki' | 'reinitialize'>
  readonly #tokens = new Map<string, TokenSession>()
  readonly #keys = new Map<number, KnownKey>()

  constructor(cryptoki: Cryptoki, deps: Omit<TokenSessionDeps, 'cryptoki' | 'reinitialize'>) {
    this.#cryptoki = cryptoki
    this.#deps = deps
    this.#initialize()
  }

  /** @throws HsmError */
  call(call: HsmCall): OpenedKey | Uint8Array | undefined {
    switch (call.op) {
      case 'open': {
        const known: KnownKey = { spec: call.spec, publicKey: undefined }
        this.#keys.set(call.key, known)
        const opened = this.#token(call.spec).openKey(call.spec, call.spec.certificate)
        known.publicKey = opened.publicKey
        return opened
      }
      case 'sign':
        return this.#sign(call.key, call.digest)
      case 'drop':
        this.#keys.delete(call.key)
        return undefined
      case 'generate':
        return this.#token(call.spec).generate(call.spec)
      case 'end':
        for (const token of this.#tokens.values()) token.close()
        this.#cryptoki.C_Finalize()
        return undefined
      default:
        return call satisfies never
    }
  }

  #sign(key: number, digest: Uint8Array): Uint8Array {
    const known = this.#keys.get(key)
    if (known === undefined) throw new HsmError('HSM_KEY_MISSING', `key ${key} is not open`)
    const token = this.#token(known.spec)
    try {
      known.publicKey ??= token.openKey(known.spec, false).publicKey
      return token.sign(known.spec, known.publicKey, digest)
    } catch (error) {
      // It was there before, so that it may come back: what waits for its signature must not be given up.
      if (!(error instanceof HsmError) || error.failure.code !== 'HSM_KEY_MISSING') throw error
      throw new HsmError('HSM_UNAVAILABLE', error.message, true)
    }
  }

  /** By name and PIN: a corrected PIN is tried although the old one was refused. */
  #token(spec: KeySpec): TokenSession {
    const id = JSON.stringify([spec.token, spec.slot, spec.pin])
    let token = this.#tokens.get(id)
    if (token === undefined) {
      token = new TokenSession(spec, spec.pin, {
        ...this.#deps,
        cryptoki: this.#cryptoki,
        reinitialize: () => this.#reinitialize(),
      })
      this.#tokens.set(id, token)
    }
    return token
  }

  /** Modules list their tokens when they are initialised. Not while another token is in use: that one would lose its session each time. */
  #reinitialize(): void {
    if ([...this.#tokens.values()].some((token) => token.isOpen)) return
    try {
      this.#cryptoki.C_Finalize()
    } catch {
      // It was not initialised any more.
    }
    for (const token of this.#tokens.values()) token.forget()
    try {
      this.#initialize()
    } catch (error) {
      this.#deps.tell('lost', error instanceof Error ? error.message : String(error))
    }
  }

  #initialize(): void {
    try {
      this.#cryptoki.C_Initialize({ flags: CKF_OS_LOCKING_OK })
    } catch (error) {
      if (resultCode(error) !== CKR_CRYPTOKI_ALREADY_INITIALIZED) throw error
    }
  }
}
