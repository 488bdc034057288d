import { createHash, randomBytes } from 'node:crypto'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { CertificateGuard, certificateTerm, readCertificateFile } from './certificate.ts'
import type { Pkcs11SignerConfig } from './config.ts'
import type { SignerDeps } from './openSigner.ts'
import { acquireHsmModule, type HsmModule } from './pkcs11/hsmModule.ts'
import type { KeySpec } from './pkcs11/messages.ts'
import type { RecordSigner } from './recordSigner.ts'
import { readPinFile } from './secretFile.ts'

/**
 * A key in a PKCS#11 token. It proves itself at the start by signing a challenge.
 * @throws BackfeedError HSM_UNAVAILABLE, HSM_PIN_REFUSED, HSM_KEY_MISSING, ERR_AUTH_EXPIRED, CERTIFICATE_INVALID, KEY_UNREADABLE
 */
export async function openHsmSigner(config: Pkcs11SignerConfig, deps: SignerDeps): Promise<RecordSigner> {
  const spec = await keySpec(config, deps.environment ?? process.env)
  const keyName = `${config.keyLabel ?? config.keyId} in ${config.token ?? `slot ${config.slot}`}`
  const module = await acquireHsmModule(config.module, deps)
  let key: number | undefined
  try {
    const opened = await module.openKey(spec)
    key = opened.key
    const { publicKey } = opened
    const { certificateFile } = config
    const certificate = certificateFile === undefined ? opened.certificate : await readCertificateFile(certificateFile)
    const term =
      certificate === undefined ? undefined : certificateTerm(certificate, publicKey, certificateFile ?? keyName)
    const guard = new CertificateGuard({ term, now: deps.now, log: deps.log, keyName })
    guard.check()
    const signer = new HsmSigner(module, key, publicKey, guard)
    await proveKey(signer, keyName)
    return signer
  } catch (error) {
    if (key !== undefined) module.dropKey(key)
    await module.release()
    throw error
  }
}

/**
 * Has a token make a P-256 key under the configuration's label and id; returns x ‖ y, which a registration needs.
 * @throws BackfeedError HSM_KEY_EXISTS, HSM_UNAVAILABLE, HSM_PIN_REFUSED, KEY_UNREADABLE
 */
export async function generateInToken(config: Pkcs11SignerConfig, deps: SignerDeps): Promise<Uint8Array> {
  const spec = await keySpec(config, deps.environment ?? process.env)
  const module = await acquireHsmModule(config.module, deps)
  try {
    return (await module.generate(spec)).publicKey
  } finally {
    await module.release()
  }
}

/** @throws BackfeedError KEY_UNREADABLE, ERR_AUTH_EXPIRED (reason PERMISSIONS) */
async function keySpec(config: Pkcs11SignerConfig, environment: Record<string, string | undefined>): Promise<KeySpec> {
  return {
    token: config.token,
    slot: config.slot,
    label: config.keyLabel,
    id: config.keyId?.replace(/^0x/, '').toLowerCase(),
    pin: config.pinFile === undefined ? pinFrom(environment, config.pinEnv!) : readPinFile(config.pinFile),
    certificate: config.certificateInToken,
  }
}

class HsmSigner implements RecordSigner {
  readonly publicKey: Uint8Array
  readonly expiresAtMs: number | undefined
  readonly #module: HsmModule
  readonly #key: number
  readonly #guard: CertificateGuard
  readonly #pending = new Set<Promise<Uint8Array>>()
  #closed: Promise<void> | undefined

  constructor(module: HsmModule, key: number, publicKey: Uint8Array, guard: CertificateGuard) {
    this.#module = module
    this.#key = key
    this.publicKey = publicKey
    this.#guard = guard
    this.expiresAtMs = guard.expiresAtMs
  }

  async sign(message: Uint8Array): Promise<Uint8Array> {
    if (this.#closed !== undefined) throw new BackfeedError('SIGNER_CLOSED', 'the signer is closed')
    this.#guard.check()
    // CKM_ECDSA takes the digest: mechanisms that hash themselves are not in every token.
    const work = this.#module.sign(this.#key, createHash('sha256').update(message).digest())
    this.#pending.add(work)
    try {
      return await work
    } finally {
      this.#pending.delete(work)
    }
  }

  /** What is under way is still signed. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      await Promise.allSettled(this.#pending)
      this.#module.dropKey(this.#key)
      await this.#module.release()
    })()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

async function proveKey(signer: RecordSigner, keyName: string): Promise<void> {
  const challenge = randomBytes(32)
  const signature = await signer.sign(challenge)
  if (verifyP256(parseP256Key(signer.publicKey), challenge, signature)) return
  throw new BackfeedError('HSM_KEY_MISSING', `private and public key ${keyName} do not belong together`, {
    exitCode: ExitCode.usage,
  })
}

function pinFrom(environment: Record<string, string | undefined>, name: string): string {
  const pin = environment[name]
  if (pin !== undefined && pin !== '') return pin
  throw new BackfeedError('KEY_UNREADABLE', `environment variable ${name}, which is to hold the PIN, is empty`, {
    exitCode: ExitCode.usage,
  })
}
