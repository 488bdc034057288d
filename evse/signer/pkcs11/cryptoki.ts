import type { PKCS11 } from 'pkcs11js'

/** The calls of PKCS#11 that are made. */
export type Cryptoki = Pick<
  PKCS11,
  | 'load'
  | 'close'
  | 'C_Initialize'
  | 'C_Finalize'
  | 'C_GetSlotList'
  | 'C_GetTokenInfo'
  | 'C_OpenSession'
  | 'C_CloseSession'
  | 'C_Login'
  | 'C_Logout'
  | 'C_FindObjectsInit'
  | 'C_FindObjects'
  | 'C_FindObjectsFinal'
  | 'C_GetAttributeValue'
  | 'C_SignInit'
  | 'C_Sign'
  | 'C_GenerateKeyPair'
>

// Numbers of the standard (PKCS#11 v2.40, pkcs11t.h), so that everything but the thread itself can do without the native package.

export const CKF_OS_LOCKING_OK = 0x2
export const CKF_RW_SESSION = 0x2
export const CKF_SERIAL_SESSION = 0x4
export const CKU_USER = 1

export const CKO_CERTIFICATE = 1
export const CKO_PUBLIC_KEY = 2
export const CKO_PRIVATE_KEY = 3
export const CKK_EC = 3
export const CKM_EC_KEY_PAIR_GEN = 0x1040
export const CKM_ECDSA = 0x1041

export const CKA_CLASS = 0x0
export const CKA_TOKEN = 0x1
export const CKA_PRIVATE = 0x2
export const CKA_LABEL = 0x3
export const CKA_VALUE = 0x11
export const CKA_KEY_TYPE = 0x100
export const CKA_ID = 0x102
export const CKA_SENSITIVE = 0x103
export const CKA_SIGN = 0x108
export const CKA_VERIFY = 0x10a
export const CKA_EXTRACTABLE = 0x162
export const CKA_EC_PARAMS = 0x180
export const CKA_EC_POINT = 0x181

export const CKR_USER_ALREADY_LOGGED_IN = 0x100
export const CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191

/** Trying such a PIN again locks the token. */
const PIN_REFUSALS: readonly number[] = [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0x102]

/** OBJECT IDENTIFIER prime256v1, 1.2.840.10045.3.1.7 */
export const P256_OID = Buffer.from('06082a8648ce3d030107', 'hex')

/** The CKR_… number, or undefined for an error that is none of PKCS#11's. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !error.message.startsWith('CKR_')) return undefined
  const { code } = error as Error & { code?: unknown }
  return typeof code === 'number' ? code : undefined
}

export function isPinRefusal(error: unknown): boolean {
  const code = resultCode(error)
  return code !== undefined && PIN_REFUSALS.includes(code)
}

/**
 * x ‖ y from CKA_EC_POINT: an OCTET STRING (04 41) around 04 ‖ x ‖ y, as the standard has it, or the bare point, as some tokens have.
 * Undefined for anything else.
 */
export function pointOf(attribute: Uint8Array): Uint8Array | undefined {
  const wrapped = attribute.length === 67 && attribute[0] === 0x04 && attribute[1] === 0x41
  const point = wrapped ? attribute.subarray(2) : attribute
  if (point.length !== 65 || point[0] !== 0x04) return undefined
  return Uint8Array.from(point.subarray(1))
}
