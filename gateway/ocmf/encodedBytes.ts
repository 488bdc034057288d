/** Bytes of hex digits, spaces between them left out; undefined when it is none. */
export function bytesOfHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '').replace(/^0x/i, '')
  if (digits.length === 0 || digits.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(digits)) return undefined
  return Buffer.from(digits, 'hex')
}

/** Bytes of base64 or base64url, with or without padding and line breaks; undefined when it is none. */
export function bytesOfBase64(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '').replace(/=+$/, '')
  if (digits.length === 0 || digits.length % 4 === 1 || !/^[0-9a-zA-Z+/_-]+$/.test(digits)) return undefined
  return Buffer.from(digits, 'base64')
}
