/** An EVSE's P-256 key, wherever it lives. The key itself never leaves it. */
export interface RecordSigner extends AsyncDisposable {
  /** x ‖ y, 64 bytes, as descriptors hold it. */
  readonly publicKey: Uint8Array
  /** End of the key's certificate, milliseconds since the Unix epoch; undefined without a certificate. */
  readonly expiresAtMs: number | undefined
  /**
   * ECDSA over SHA-256 of `message` (docs/protocol.md §4): raw r ‖ s, 64 bytes. Never blocks the event loop.
   * @throws BackfeedError ERR_AUTH_EXPIRED when the certificate is over; HSM_UNAVAILABLE (retryable)
   */
  sign(message: Uint8Array): Promise<Uint8Array>
  close(): Promise<void>
}
