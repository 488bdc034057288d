import { fileURLToPath } from 'node:url'
import { type LeashedProcess, spawnLeashed } from './leash.ts'

const ANVIL = fileURLToPath(new URL('../node_modules/.bin/anvil', import.meta.url))

/** A node on loopback as main net is after Fusaka: osaka rules, and the transaction gas cap enforced. */
export function spawnAnvil(port: number, parameters: readonly string[]): LeashedProcess {
  const rules = ['--hardfork', 'osaka', '--enable-tx-gas-limit', '--silent']
  return spawnLeashed(ANVIL, [...rules, '--host', '127.0.0.1', '--port', String(port), ...parameters])
}
