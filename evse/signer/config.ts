import { z } from 'zod'

const fileKey = z.strictObject({
  kind: z.literal('file'),
  /** P-256 private key: PEM (PKCS#8 or SEC1, not encrypted), or the 64 hex digits of `backfeed admin keygen`. Mode 600 or 400, owned by the user of the process. */
  keyFile: z.string().min(1),
  /** PEM or DER certificate of that key. Once it is over nothing is signed. Absent: the key has no end. */
  certificateFile: z.string().min(1).optional(),
})

const pkcs11Key = z.strictObject({
  kind: z.literal('pkcs11'),
  /** The PKCS#11 library of the HSM, an absolute path. */
  module: z.string().startsWith('/', 'an absolute path'),
  /** Label of the token. Either this or `slot`. */
  token: z.string().min(1).optional(),
  /** Number of the slot; some modules number slots anew at each start: prefer `token`. */
  slot: z.number().int().min(0).optional(),
  /** File with the user's PIN, mode 600 or 400. Either this or `pinEnv`. */
  pinFile: z.string().min(1).optional(),
  /** Name of an environment variable that holds the user's PIN. */
  pinEnv: z.string().min(1).optional(),
  /** CKA_LABEL of the key. This or `keyId` or both; exactly one private key must fit. */
  keyLabel: z.string().min(1).optional(),
  /** CKA_ID of the key, hex. */
  keyId: z
    .string()
    .regex(/^(0x)?([0-9a-fA-F]{2})+$/, 'hex digits')
    .optional(),
  /** The token holds the key's certificate (CKO_CERTIFICATE with the same CKA_ID or label): its end is honoured. Default false. */
  certificateInToken: z.boolean().default(false),
  /** The certificate is in a file, PEM or DER. */
  certificateFile: z.string().min(1).optional(),
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
