import { webcrypto } from 'node:crypto'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { x509 } from '../../support/x509.ts'

x509.cryptoProvider.set(webcrypto as unknown as typeof globalThis.crypto)

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 86_400_000

export interface IssuedFiles {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** A certificate authority of a test's own, and files as configurations name them. */
export interface Pki {
  readonly folder: string
  /** Certificate by common name; valid a day, unless it ended already. */
  issue(name: string, options?: { isExpired?: boolean }): Promise<IssuedFiles>
}

export async function createPki(folder: string): Promise<Pki> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const now = Date.now()
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=Test CA',
    notBefore: new Date(now - 10 * DAY_MS),
    notAfter: new Date(now + DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  })
  const ca = authority.toString('pem')
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, ca)
  let serial = 1
  return {
    folder,
    issue: async (name, { isExpired = false } = {}) => {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
      const issued = await x509.X509CertificateGenerator.create({
        serialNumber: (++serial).toString(16).padStart(4, '0'),
        subject: `CN=${name}`,
        issuer: authority.subject,
        notBefore: new Date(now - 5 * DAY_MS),
        notAfter: new Date(isExpired ? now - DAY_MS : now + DAY_MS),
        signingAlgorithm: ALGORITHM,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: 'ip', value: '127.0.0.1' },
            { type: 'dns', value: 'localhost' },
          ]),
        ],
      })
      const cert = issued.toString('pem')
      const der = await webcrypto.subtle.exportKey('pkcs8', own.privateKey)
      const key = x509.PemConverter.encode(der, 'PRIVATE KEY')
      const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
      await writeFile(certFile, cert)
      await writeFile(keyFile, key)
      await chmod(keyFile, 0o600)
      return { caFile, certFile, keyFile, ca, cert, key }
    },
  }
}
