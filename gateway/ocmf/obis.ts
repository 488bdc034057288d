/**
 * TOTAL: energy fed into the grid since the meter was made. PARTIAL: export that begins at 0 with each transaction, or that is counted at the
 * vehicle's side of the cable. NONE: anything else, import above all.
 */
export type ExportKind = 'TOTAL' | 'PARTIAL' | 'NONE'

export interface Register {
  readonly kind: ExportKind
  /** C.D.E without leading zeros, such as 2.8.0: the same register is always the same text. */
  readonly name: string
}

/**
 * Tells export from import by the OBIS code (IEC 62056-6-1: C = 2 is active energy out, D = 8 its integral since ever; OCMF table 25: C0 export at the
 * mains, C1 at the device, C2 and C3 the same within a transaction). Real meters write 1-0:2.8.0, 1-b:2.8.0, 1-0:2.8.0*255, 1-0:2.8.0.FF,
 * 01-00:02.08.00, 01-00:C0.08.00*FF, 2.8.0. What is not known is no export.
 */
export function classifyRegister(code: string): Register {
  const match =
    /^(?:([0-9a-z]{1,3})-([0-9a-z]{1,3}):)?([0-9a-z]{1,3})\.([0-9a-z]{1,3})(?:\.([0-9a-z]{1,3}))?(?:[.*&][0-9a-z]{1,3})?$/i.exec(
      code.trim(),
    )
  if (match === null) return { kind: 'NONE', name: code.trim() }
  const [, medium = '1', , c, d, e = '0'] = match
  const [quantity, process, tariff] = [group(c!), group(d!), group(e)]
  const name = `${quantity}.${process}.${tariff}`
  if (group(medium) !== '1' || process !== '8') return { kind: 'NONE', name }
  if (quantity === '2' || quantity === 'C0') return { kind: 'TOTAL', name }
  if (quantity === 'C1' || quantity === 'C2' || quantity === 'C3') return { kind: 'PARTIAL', name }
  return { kind: 'NONE', name }
}

/** Whether the register is the sum over all tariffs. */
export function isSumRegister(name: string): boolean {
  return name.endsWith('.0') || name.endsWith('.E')
}

function group(text: string): string {
  return text.toUpperCase().replace(/^0+(?=.)/, '')
}
