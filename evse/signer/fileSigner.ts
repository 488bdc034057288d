import { type KeyObject, sign as signAsync } from 'node:crypto'
import { promisify } from 'node:util'
import { rawFromDer } from '../../protocol/p256.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { CertificateGuard, certificateTerm, readCertificateFile } from './certificate.ts'
import type { FileSignerConfig } from './config.ts'
import { readKeyFile } from './keyFile.ts'
import { MAX_PENDING_FILE_SIGNS } from './limits.ts'
import type { SignerDeps } from './openSigner.ts'
import type { RecordSigner } from './recordSigner.ts'

// With a callback Node signs in its thread pool.
const signInPool = promisify(signAsync)

/**
 * A key in a file, for development and small installations.
 * @throws BackfeedError ERR_AUTH_EXPIRED, KEY_UNREADABLE, CERTIFICATE_INVALID
 */
export async function openFileSigner(config: FileSignerConfig, deps: SignerDeps): Promise<RecordSigner> {
  const { privateKey, publicKey } = await readKeyFile(config.keyFile)
  const { certificateFile } = config
  const term =
    certificateFile === undefined
      ? undefined
      : certificateTerm(await readCertificateFile(certificateFile), publicKey, certificateFile)
  const guard = new CertificateGuard({ term, now: deps.now, log: deps.log, keyName: config.keyFile })
  guard.check()
  return new FileSigner(privateKey, publicKey, guard)
}

class FileSigner implements RecordSigner {
  readonly publicKey: Uint8Array
  readonly expiresAtMs: number | undefined
  readonly #guard: CertificateGuard
  readonly #pending = new Set<Promise<Buffer>>()
  #key: KeyObject | undefined

  constructor(key: KeyObject, publicKey: Uint8Array, guard: CertificateGuard) {
    this.#key = key
    this.publicKey = publicKey
    this.#guard = guard
    this.expiresAtMs = guard.expiresAtMs
  }

  async sign(message: Uint8Array): Promise<Uint8Array> {
    const key = this.#key
    if (key === undefined) throw new BackfeedError('SIGNER_CLOSED', 'the signer is closed')
    this.#guard.check()
    if (this.#pending.size >= MAX_PENDING_FILE_SIGNS) {
      throw new BackfeedError('SIGNER_BUSY', `${this.#pending.size} signatures are waiting`, { retryable: true })
    }
    // Not with {key, dsaEncoding}: an options object costs 0.1 ms a call on the event loop.
    const work = signInPool('sha256', message, key)
    this.#pending.add(work)
    try {
      return rawFromDer(await work)!
    } finally {
      this.#pending.delete(work)
    }
  }

  /** What is under way is still signed. */
  async close(): Promise<void> {
    this.#key = undefined
    await Promise.allSettled(this.#pending)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
