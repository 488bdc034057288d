/** Hex or base64, as meters' labels and data sheets have it. */
export function meterKeyBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, /^([0-9a-fA-F]{2})+$/.test(text) ? 'hex' : 'base64'))
}
