import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = process.env.BACKFEED_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url))

/** Published data lies beside the repository, not in it; BACKFEED_SHARED names another place. */
export function sharedData(name: string): string {
  return join(root, 'data', name)
}

/** A test's `skip`: false when every file is there, else what to do. */
export function skipWithout(...names: readonly string[]): string | false {
  const missing = names.filter((name) => !existsSync(sharedData(name)))
  return missing.length > 0 && `no ${missing.join(', ')} in ${root}/data: set BACKFEED_SHARED`
}

export const REAL_SESSIONS = 'sessions/acn-office-sessions.csv'
export const REAL_PRICES = 'prices/caiso-2020-day-ahead-hourly.csv'
