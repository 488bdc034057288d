import type { SignedValueCode, SignedValueProblem } from './signedValue.ts'

/** A value that cannot be taken: thrown inside this folder, a problem outside of it. */
export class OcmfError extends Error {
  readonly problem: SignedValueProblem

  constructor(code: SignedValueCode, message: string) {
    super(message)
    this.problem = { code, message }
  }
}

/** A part of what came, for a message: bounded, and printable whatever it is. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : String(value)
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}
