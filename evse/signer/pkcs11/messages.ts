// What the thread that holds a PKCS#11 library is asked, and what it answers.

export interface TokenName {
  readonly token: string | undefined
  readonly slot: number | undefined
}

export interface KeyName {
  readonly label: string | undefined
  /** CKA_ID, hex without 0x, lower case. */
  readonly id: string | undefined
}

export interface KeySpec extends TokenName, KeyName {
  readonly pin: string
  /** Fetch the key's CKO_CERTIFICATE. */
  readonly certificate: boolean
}

export type HsmCall =
  /** The thread remembers `spec` under `key` whatever the answer. */
  | { readonly op: 'open'; readonly key: number; readonly spec: KeySpec }
  /** `digest`: SHA-256, 32 bytes. */
  | { readonly op: 'sign'; readonly key: number; readonly digest: Uint8Array }
  | { readonly op: 'drop'; readonly key: number }
  /** A new key pair that never leaves the token. */
  | { readonly op: 'generate'; readonly spec: KeySpec }
  /** Logs out and gives the library back. The last call. */
  | { readonly op: 'end' }

export interface OpenedKey {
  /** x ‖ y, 64 bytes. */
  readonly publicKey: Uint8Array
  /** DER */
  readonly certificate: Uint8Array | undefined
}

export interface HsmFailure {
  readonly code: 'HSM_UNAVAILABLE' | 'HSM_PIN_REFUSED' | 'HSM_KEY_MISSING' | 'HSM_KEY_EXISTS'
  readonly message: string
  readonly retryable: boolean
}

export interface HsmRequest {
  readonly id: number
  readonly call: HsmCall
}

export type HsmReply =
  | { readonly id: number; readonly result: OpenedKey | Uint8Array | undefined }
  | { readonly id: number; readonly failure: HsmFailure }
  /** A token was lost and looked for again. */
  | { readonly event: 'recovered' | 'lost'; readonly message: string }

/** A failure inside the thread; crosses to the other side as an HsmFailure. */
export class HsmError extends Error {
  readonly failure: HsmFailure

  constructor(code: HsmFailure['code'], message: string, retryable = false) {
    super(message)
    this.failure = { code, message, retryable }
  }
}
