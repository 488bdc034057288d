import { MAX_REGISTERS_PER_READ, PLAUSIBLE, type RegisterConfig, WORDS } from './config.ts'

/** Registers that one request reads. */
export interface Block {
  readonly function: 3 | 4
  readonly address: number
  readonly count: number
  readonly registers: readonly RegisterConfig[]
}

/** As few requests as neighbours allow; `maxGap` registers that nobody wants may lie between. */
export function blocksOf(registers: readonly RegisterConfig[], maxGap: number): Block[] {
  const ordered = [...registers].sort((a, b) => a.function - b.function || a.address - b.address)
  const blocks: { function: 3 | 4; address: number; count: number; registers: RegisterConfig[] }[] = []
  for (const register of ordered) {
    const end = register.address + WORDS[register.type]
    const last = blocks.at(-1)
    const isNear =
      last !== undefined &&
      last.function === register.function &&
      register.address <= last.address + last.count + maxGap &&
      end - last.address <= MAX_REGISTERS_PER_READ
    if (!isNear) {
      blocks.push({
        function: register.function,
        address: register.address,
        count: end - register.address,
        registers: [register],
      })
      continue
    }
    last.registers.push(register)
    last.count = Math.max(last.count, end - last.address)
  }
  return blocks
}

/** The bits of a register's value in an answer that starts at the block's address. Equal bits are an equal value, NaN too. */
export function bitsOf(register: RegisterConfig, block: Block, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = (register.address - block.address) * 2
  if (WORDS[register.type] === 1) return view.getUint16(at)
  const [first, second] = [view.getUint16(at), view.getUint16(at + 2)]
  const [high, low] = register.wordOrder === 'big' ? [first, second] : [second, first]
  return high * 65_536 + low
}

/** In the quantity's unit; undefined: not plausible. */
export function plausibleValue(register: RegisterConfig, bits: number): number | undefined {
  const value = numberOf(register.type, bits) * register.scale + register.offset
  const [min, max] = PLAUSIBLE[register.quantity]
  return value >= (register.min ?? min) && value <= (register.max ?? max) ? value : undefined
}

const scratch = new DataView(new ArrayBuffer(4))

function numberOf(type: RegisterConfig['type'], bits: number): number {
  switch (type) {
    case 'u16':
    case 'u32':
      return bits
    case 'i16':
      return bits >= 0x8000 ? bits - 0x1_0000 : bits
    case 'i32':
      return bits | 0
    case 'f32':
      scratch.setUint32(0, bits)
      return scratch.getFloat32(0)
    default:
      return type satisfies never
  }
}
