import { replay, seed } from '../seed.ts'

/** Seeded randomness (sfc32): the same seed yields the same run on every machine. */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = 0x9e3779b9
    this.#b = 0x243f6a88
    this.#c = seed | 0
    for (let i = 0; i < 15; i++) this.u32()
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** Uniform, both ends included; the span stays below 2^53. */
  int(low: number, high: number): number {
    const span = high - low + 1
    if (!(span >= 1)) throw new RangeError(`empty range ${low}…${high}`)
    return low + Math.floor(((this.u32() * 2 ** 21 + (this.u32() >>> 11)) / 2 ** 53) * span)
  }

  /** Every order of magnitude equally likely, both ends included. */
  logInt(low: number, high: number): number {
    const exponent = Math.log(low + 1) + (this.u32() / 2 ** 32) * (Math.log(high + 1) - Math.log(low + 1))
    return Math.min(high, Math.max(low, Math.floor(Math.exp(exponent)) - 1))
  }

  chance(probability: number): boolean {
    return this.u32() < probability * 2 ** 32
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('nothing to pick from')
    return list[this.int(0, list.length - 1)]!
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.u32() & 0xff)
  }
}

/** Runs `body` with this process's seed. A failure names the seed and how to replay it. */
export async function withSeed<T>(file: string, body: (random: Random, seed: number) => T | Promise<T>): Promise<T> {
  try {
    return await body(new Random(seed), seed)
  } catch (cause) {
    throw new Error(`failed with seed ${seed}; replay: ${replay(file)}`, { cause })
  }
}
