import { Command } from 'commander'
import { id } from './options.ts'

const CONFIG = ['--config <file>', 'TOML with [l1] and [contracts]; a service’s own file serves'] as const

export const CALLER_KEY = ['--key <file>', 'file with the hex key of the account that calls'] as const
export const LANE = ['--lane <id>', 'the lane', id] as const

/** A command that asks L1; `openContext` reads what it is configured by. */
export function onL1(name: string, description: string): Command {
  return new Command(name).description(description).option(...CONFIG)
}

export function onLane(name: string, description: string): Command {
  return onL1(name, description).requiredOption(...LANE)
}
