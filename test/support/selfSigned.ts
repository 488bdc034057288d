import { type KeyObject, webcrypto } from 'node:crypto'
import { x509 } from './x509.ts'

/** PEM of a P-256 key's certificate that it signed itself. */
export async function selfSigned(
  pair: { publicKey: KeyObject; privateKey: KeyObject },
  term: { notBeforeMs: number; notAfterMs: number },
): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
  const { subtle } = webcrypto
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01',
      name: 'CN=evse',
      notBefore: new Date(term.notBeforeMs),
      notAfter: new Date(term.notAfterMs),
      signingAlgorithm: { ...algorithm, hash: 'SHA-256' },
      keys: {
        publicKey: await subtle.importKey('spki', spki, algorithm, true, ['verify']),
        privateKey: await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']),
      },
    },
    webcrypto as unknown as typeof globalThis.crypto,
  )
  return certificate.toString('pem')
}
