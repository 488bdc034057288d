import { bytesOfBase64, bytesOfHex } from './encodedBytes.ts'
import { MAX_OCMF_BYTES, MAX_VALUE_CHARS } from './limits.ts'
import { OcmfError, shown } from './ocmfError.ts'
import type { ReceivedValue } from './signedValue.ts'

/** What was in the envelope. */
export interface OpenedValue {
  /** `OCMF|payload|signature`, the very bytes. */
  readonly document: Uint8Array
  readonly signingMethod: string | undefined
  readonly publicKey: string | undefined
}

const HEAD = 'OCMF|'
/** In base64: the first five bytes fix six digits. */
const HEAD_BASE64 = /^T0NNRn/
const HEAD_HEX = /^(0x)?4f434d467c/i

/** @throws OcmfError OCMF_UNREADABLE, OCMF_UNSIGNED (empty) */
export function openEnvelope(value: ReceivedValue): OpenedValue {
  const { data } = value
  if (data.length > MAX_VALUE_CHARS) throw unreadable(`${data.length} characters are too many`)
  const method = value.encodingMethod?.trim()
  if (method !== undefined && method !== '' && !/ocmf/i.test(method)) {
    throw unreadable(`encoding method ${shown(method)} is not OCMF`)
  }
  const text = data.replace(/^\uFEFF/, '').trim()
  if (text === '') throw new OcmfError('OCMF_UNSIGNED', 'the signed value is empty')
  if (text.startsWith('{')) return openJson(text, value)
  const document = documentOf(text)
  if (document.length > MAX_OCMF_BYTES) throw unreadable(`${document.length} bytes are too many`)
  return { document, signingMethod: said(value.signingMethod), publicKey: said(value.publicKey) }
}

/** OCPP 1.6 has no field for it: the JSON of OCPP 2.0.1's SignedMeterValueType is the value's text. */
function openJson(text: string, value: ReceivedValue): OpenedValue {
  let inner: unknown
  try {
    inner = JSON.parse(text)
  } catch {
    throw unreadable('it is neither OCMF nor JSON')
  }
  const { signedMeterData, encodingMethod, signingMethod, publicKey } = inner as Record<string, unknown>
  if (typeof signedMeterData !== 'string') throw unreadable('there is no signedMeterData')
  if (signedMeterData.trimStart().startsWith('{')) throw unreadable('signedMeterData is no OCMF')
  return openEnvelope({
    data: signedMeterData,
    encodingMethod: textOf(encodingMethod) ?? value.encodingMethod,
    signingMethod: textOf(signingMethod) ?? value.signingMethod,
    publicKey: textOf(publicKey) ?? value.publicKey,
  })
}

function documentOf(text: string): Uint8Array {
  if (text.startsWith(HEAD)) return Buffer.from(text, 'utf8')
  const bytes = HEAD_HEX.test(text) ? bytesOfHex(text) : HEAD_BASE64.test(text) ? bytesOfBase64(text) : undefined
  if (bytes === undefined)
    throw unreadable(`it begins with ${shown(text.slice(0, 12))}, which is no OCMF, base64 or hex of it`)
  return bytes
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Fields that are there and empty say nothing: OCPP 2.0.1 requires them. */
function said(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim()
}

function unreadable(message: string): OcmfError {
  return new OcmfError('OCMF_UNREADABLE', message)
}
