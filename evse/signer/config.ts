import { z } from 'zod'

const fileKey = z.strictObject({
  kind: z.literal('file').describe('`file`: for development.'),
  keyFile: z
    .string()
    .min(1)
    .describe(
      'P-256 private key: PEM (PKCS#8 or SEC1, not encrypted), or the 64 hex digits of `backfeed admin keygen`. Mode 600 or 400, owned by the user of the process.',
    ),
  certificateFile: z
    .string()
    .min(1)
    .optional()
    .describe('PEM or DER certificate of that key. Once it is over nothing is signed. Absent: the key has no end.'),
})

const pkcs11Key = z.strictObject({
  kind: z.literal('pkcs11').describe('`pkcs11`: the key stays in an HSM.'),
  module: z.string().startsWith('/', 'an absolute path').describe('The PKCS#11 library of the HSM, an absolute path.'),
  token: z.string().min(1).optional().describe('Label of the token. Either this or `slot`.'),
  slot: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Number of the slot; some modules number slots anew at each start: prefer `token`.'),
  pinFile: z.string().min(1).optional().describe("File with the user's PIN, mode 600 or 400. Either this or `pinEnv`."),
  pinEnv: z.string().min(1).optional().describe("Name of an environment variable that holds the user's PIN."),
  keyLabel: z
    .string()
    .min(1)
    .optional()
    .describe('CKA_LABEL of the key. This or `keyId` or both; exactly one private key must fit.'),
  keyId: z
    .string()
    .regex(/^(0x)?([0-9a-fA-F]{2})+$/, 'hex digits')
    .optional()
    .describe('CKA_ID of the key, hex.'),
  certificateInToken: z
    .boolean()
    .default(false)
    .describe(
      "The token holds the key's certificate (CKO_CERTIFICATE with the same CKA_ID or label): its end is honoured.",
    ),
  certificateFile: z.string().min(1).optional().describe('With `pkcs11`: instead of one in the token.'),
})

/** Where an EVSE's key is. */
export const signerConfigSchema = z.discriminatedUnion('kind', [fileKey, pkcs11Key]).superRefine((config, context) => {
  if (config.kind !== 'pkcs11') return
  const say = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message })
  if ((config.token === undefined) === (config.slot === undefined)) say('token', 'name the token or the slot, not both')
  if ((config.pinFile === undefined) === (config.pinEnv === undefined)) {
    say('pinFile', 'name a PIN file or an environment variable, not both')
  }
  if (config.keyLabel === undefined && config.keyId === undefined) say('keyLabel', 'name the key by keyLabel or keyId')
  if (config.certificateInToken && config.certificateFile !== undefined) {
    say('certificateFile', 'the certificate is in the token or in a file, not both')
  }
})

export type SignerConfig = z.infer<typeof signerConfigSchema>
export type FileSignerConfig = Extract<SignerConfig, { kind: 'file' }>
export type Pkcs11SignerConfig = Extract<SignerConfig, { kind: 'pkcs11' }>
