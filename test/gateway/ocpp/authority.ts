import { webcrypto } from 'node:crypto'
import { x509 } from '../../support/x509.ts'

const { subtle } = webcrypto
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const crypto = webcrypto as unknown as typeof globalThis.crypto

export interface Pem {
  readonly certificate: string
  readonly key: string
}

export interface Authority {
  readonly certificate: string
  issue(settings: { name: string; notAfter?: Date; notBefore?: Date; address?: string }): Promise<Pem>
}

/** A certificate authority for tests. */
export async function createAuthority(name: string): Promise<Authority> {
  const keys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01',
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + 86_400_000),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
    },
    crypto,
  )
  let serial = 1
  return {
    certificate: root.toString('pem'),
    async issue({ name: subject, notBefore, notAfter, address }) {
      const own = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
      const certificate = await x509.X509CertificateGenerator.create(
        {
          serialNumber: (++serial).toString(16).padStart(2, '0'),
          subject,
          issuer: root.subject,
          notBefore: notBefore ?? new Date(Date.now() - 3_600_000),
          notAfter: notAfter ?? new Date(Date.now() + 3_600_000),
          signingAlgorithm: ALGORITHM,
          publicKey: own.publicKey,
          signingKey: keys.privateKey,
          extensions:
            address === undefined ? [] : [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: address }])],
        },
        crypto,
      )
      const der = Buffer.from(await subtle.exportKey('pkcs8', own.privateKey)).toString('base64')
      const key = `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
      return { certificate: certificate.toString('pem'), key }
    },
  }
}
