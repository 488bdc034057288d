import { isUtf8 } from 'node:buffer'
import { bytesOfBase64, bytesOfHex } from './encodedBytes.ts'
import { endOfObject, isObject, type Json, parseExact, textOf } from './exactJson.ts'
import { MAX_OCMF_BYTES } from './limits.ts'
import { OcmfError, shown } from './ocmfError.ts'

/** `OCMF|payload|signature`, taken apart. */
export interface OcmfDocument {
  /** The signed bytes: all that is between the pipes, as it came. */
  readonly payload: Uint8Array
  readonly fields: { readonly [key: string]: Json }
  /** DER or raw r ‖ s. */
  readonly signature: Uint8Array
  /** SA, as it is written; undefined where the value leaves it to the default. */
  readonly algorithm: string | undefined
}

/**
 * The standard forbids a pipe inside the sections, and meters put users' ids there: the payload's end is found by its braces.
 * @throws OcmfError OCMF_UNREADABLE, OCMF_UNSIGNED
 */
export function parseOcmf(bytes: Uint8Array): OcmfDocument {
  if (bytes.length > MAX_OCMF_BYTES) throw unreadable(`${bytes.length} bytes are too many`)
  const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  if (!latin1.startsWith('OCMF|')) throw unreadable('it does not begin with OCMF|')
  const payloadFrom = 5
  const objectEnd = endOfObject(latin1, payloadFrom)
  if (objectEnd < 0) throw unreadable('the payload is no whole JSON object')
  const pipe = skipSpaces(latin1, objectEnd)
  if (pipe === latin1.length) throw new OcmfError('OCMF_UNSIGNED', 'the value has no signature section')
  if (latin1[pipe] !== '|') throw unreadable(`${shown(latin1.slice(pipe, pipe + 12))} follows the payload`)
  const signatureEnd = endOfObject(latin1, pipe + 1)
  if (signatureEnd < 0) {
    if (latin1.slice(pipe + 1).trim() === '') throw new OcmfError('OCMF_UNSIGNED', 'the signature section is empty')
    throw unreadable('the signature section is no whole JSON object')
  }
  if (skipSpaces(latin1, signatureEnd) !== latin1.length) throw unreadable('something follows the signature section')
  const payload = bytes.subarray(payloadFrom, pipe)
  return { payload, fields: objectOf(payload, 'payload'), ...signatureOf(bytes.subarray(pipe + 1, signatureEnd)) }
}

function signatureOf(section: Uint8Array): Pick<OcmfDocument, 'signature' | 'algorithm'> {
  const fields = objectOf(section, 'signature section')
  const data = textOf(fields, 'SD')
  if (data === undefined) throw new OcmfError('OCMF_UNSIGNED', 'the value has no signature data (SD)')
  const encoding = textOf(fields, 'SE') ?? 'hex'
  // Some say base64 in SE and write hex, others write base64 without saying: hex digits alone are hex, as no real base64 of 48 bytes is.
  const signature = bytesOfHex(data) ?? bytesOfBase64(data)
  if (!/^(hex|base64)$/i.test(encoding) || signature === undefined) {
    throw unreadable(`signature data ${shown(data)} is no ${shown(encoding)}`)
  }
  return { signature, algorithm: textOf(fields, 'SA') }
}

function objectOf(section: Uint8Array, what: string): { readonly [key: string]: Json } {
  let json: Json
  try {
    json = parseExact(decode(section))
  } catch {
    throw unreadable(`the ${what} is no JSON`)
  }
  if (!isObject(json)) throw unreadable(`the ${what} is no JSON object`)
  return json
}

/** JSON is UTF-8; where a meter put other bytes into somebody's name, its digits are still right. */
function decode(section: Uint8Array): string {
  return isUtf8(section) ? Buffer.from(section).toString('utf8') : Buffer.from(section).toString('latin1')
}

function skipSpaces(text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t\r\n'.includes(text[at]!)) at++
  return at
}

function unreadable(message: string): OcmfError {
  return new OcmfError('OCMF_UNREADABLE', message)
}
