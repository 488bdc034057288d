import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface WycheproofTest {
  readonly tcId: number
  readonly comment: string
  readonly msg: string
  readonly sig: string
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

export interface WycheproofGroup {
  readonly publicKey: { readonly uncompressed: string }
  readonly tests: readonly WycheproofTest[]
}

/** Project Wycheproof's vectors lie beside the repository, not in it; BACKFEED_SHARED names another place. */
const folder =
  process.env.BACKFEED_SHARED === undefined
    ? fileURLToPath(new URL('../../../shared/data/vectors/', import.meta.url))
    : `${process.env.BACKFEED_SHARED}/data/vectors/`

/** Undefined when the file is absent. */
export function wycheproofGroups(name: string): readonly WycheproofGroup[] | undefined {
  const path = `${folder}${name}`
  if (!existsSync(path)) return undefined
  const parsed = JSON.parse(readFileSync(path, 'utf8')) as { testGroups: WycheproofGroup[] }
  return parsed.testGroups
}

export const wycheproofMissing = `Wycheproof vectors not found in ${folder}: set BACKFEED_SHARED`
