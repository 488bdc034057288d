/** Signatures that may wait at one key. An EVSE signs a record each 15 seconds at most: after a day in the dark at once 5 760; more is a loop. */
export const MAX_PENDING_FILE_SIGNS = 8_192

/** Calls that may wait for one PKCS#11 library. At the 1 000 a second of a slow module that is what `HSM_CALL_TIMEOUT_MS` lets through. */
export const MAX_PENDING_HSM_CALLS = 16_384

/** A module on the network that has not answered by then is taken for gone. Its call cannot be taken back: it still counts as pending. */
export const HSM_CALL_TIMEOUT_MS = 30_000

/** A lost token is looked for again after this long, and twice as long each time. */
export const HSM_FIRST_RETRY_MS = 250
export const HSM_MAX_RETRY_MS = 30_000

/** An operator hears of a certificate's end so long before, once a day. A certificate authority takes days, a holiday weeks. */
export const CERTIFICATE_WARNING_MS = 30 * 24 * 3600 * 1000
export const CERTIFICATE_WARNING_EVERY_MS = 24 * 3600 * 1000

/** Keys, PINs and certificates with their chains are a few kilobytes. */
export const MAX_SECRET_FILE_BYTES = 65_536

if (HSM_FIRST_RETRY_MS > HSM_MAX_RETRY_MS) throw new RangeError('the first retry comes after the last')
