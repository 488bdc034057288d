import type { BenchOptions, Rounds } from '../benchmark.ts'
import { serveCalls } from '../helperProcess.ts'
import { curves } from './curves.ts'

// One point of a curve.

let rounds: Rounds | undefined

const calls = {
  open: async (name: string, x: number, options: BenchOptions): Promise<void> => {
    rounds = await curves.find((curve) => curve.name === name)!.open(x, options)
  },
  round: async (index: number): Promise<Record<string, number>> => await rounds!.round(index),
  close: async (): Promise<void> => await rounds![Symbol.asyncDispose](),
}
export type PointCalls = typeof calls

serveCalls(calls)
