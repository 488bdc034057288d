import { BackfeedError, describeError, exitCodeOf, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { SignerConfig } from './config.ts'
import { openFileSigner } from './fileSigner.ts'
import { openHsmSigner } from './hsmSigner.ts'
import type { RecordSigner } from './recordSigner.ts'
import type { SignerMetrics } from './signerMetrics.ts'

export interface SignerDeps {
  /** Wall clock, ms: certificates end by it. */
  readonly now: () => number
  readonly log: Logger
  readonly metrics?: SignerMetrics | undefined
  /** Where `pinEnv` is looked up. Default: of the process. */
  readonly environment?: Record<string, string | undefined>
}

/** @throws BackfeedError ERR_AUTH_EXPIRED, KEY_UNREADABLE, CERTIFICATE_INVALID, HSM_UNAVAILABLE, HSM_PIN_REFUSED, HSM_KEY_MISSING */
export async function openSigner(config: SignerConfig, deps: SignerDeps): Promise<RecordSigner> {
  const signer = config.kind === 'file' ? await openFileSigner(config, deps) : await openHsmSigner(config, deps)
  const { metrics } = deps
  if (metrics === undefined) return signer
  if (signer.expiresAtMs !== undefined) {
    metrics.certificateEnd.set({ key: Buffer.from(signer.publicKey).toString('hex') }, signer.expiresAtMs / 1000)
  }
  return measured(signer, config.kind, metrics)
}

/**
 * Signers for many EVSEs, by name. Keys of one PKCS#11 library share its thread, those of one token a session. All or none.
 * @throws BackfeedError SIGNERS_FAILED with what is wrong with each
 */
export async function openSigners(
  configs: ReadonlyMap<string, SignerConfig>,
  deps: SignerDeps,
): Promise<Map<string, RecordSigner>> {
  const names = [...configs.keys()]
  const results = await Promise.allSettled([...configs.values()].map((config) => openSigner(config, deps)))
  const opened = new Map<string, RecordSigner>()
  const failures: { name: string; error: unknown }[] = []
  for (const [index, result] of results.entries()) {
    const name = names[index]!
    if (result.status === 'fulfilled') opened.set(name, result.value)
    else failures.push({ name, error: result.reason })
  }
  if (failures.length === 0) return opened
  await Promise.all([...opened.values()].map((signer) => signer.close()))
  const [first] = failures
  const list = failures.map(({ name, error }) => `${name}: ${describeError(error)}`)
  throw new BackfeedError('SIGNERS_FAILED', list.slice(0, 20).join('; '), {
    cause: first!.error,
    exitCode: exitCodeOf(first!.error),
    retryable: failures.every(({ error }) => isBackfeedError(error) && error.retryable),
    details: { failures: list },
  })
}

function measured(signer: RecordSigner, kind: SignerConfig['kind'], metrics: SignerMetrics): RecordSigner {
  return {
    publicKey: signer.publicKey,
    expiresAtMs: signer.expiresAtMs,
    async sign(message) {
      const stop = metrics.seconds.startTimer({ kind })
      let outcome = 'ok'
      try {
        return await signer.sign(message)
      } catch (error) {
        outcome = isBackfeedError(error) ? error.code : 'fault'
        throw error
      } finally {
        stop()
        metrics.signatures.inc({ kind, outcome })
      }
    },
    close: () => signer.close(),
    [Symbol.asyncDispose]: () => signer.close(),
  }
}
