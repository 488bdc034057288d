import { type KeyObject, webcrypto } from 'node:crypto'
import { x509 } from './x509.ts'

/** PEM of a certificate of a P-256 key, signed by `privateKey`: the same key's or an issuer's. */
export async function certified(
  pair: { publicKey: KeyObject; privateKey: KeyObject },
  term: { notBeforeMs: number; notAfterMs: number },
): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
  const { subtle } = webcrypto
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: '01',
      subject: 'CN=evse',
      issuer: 'CN=issuer',
      notBefore: new Date(term.notBeforeMs),
      notAfter: new Date(term.notAfterMs),
      signingAlgorithm: { ...algorithm, hash: 'SHA-256' },
      publicKey: await subtle.importKey('spki', spki, algorithm, true, ['verify']),
      signingKey: await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']),
    },
    webcrypto as unknown as typeof globalThis.crypto,
  )
  return certificate.toString('pem')
}
